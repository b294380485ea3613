"""Text that came from outside, made harmless for a terminal, a log, and whoever reads either."""

from __future__ import annotations


def quoted(text: str, keep: str = "") -> str:
    """``text`` without anything that a terminal or a reader of lines would obey, but for the characters in ``keep``.

    Control characters, line and paragraph separators, marks that turn the direction of text, and halves of surrogate
    pairs become what Python writes for them: ``\\n``, ``\\x1b``, ``\\u2028``, ``\\u202e``.
    """
    if text.isprintable():
        return text
    harmless = (sign if sign.isprintable() or sign in keep else ascii(sign)[1:-1] for sign in text)
    return "".join(harmless)
