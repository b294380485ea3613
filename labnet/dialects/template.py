"""The forms of dialect files: text with fields in braces, read and written (sans-IO).

``{name},{address},A`` writes a mapping, and reads what fits it. A form that is read is patient: letters' case and the
amount of white space do not count, nor white space around a comma, a colon or an equals sign. ``{{`` and ``}}`` stand
for braces. A list of field names is a JSON list of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from labnet.dialects.model import Form

LONGEST: Final = 65535
"""Characters of a message that are read."""

_FIELDS: Final[dict[str, str]] = {
    "name": r"(?![\[{{#])[^\s,{}]{{1,255}}",
    "address": r"(?![\[{{])[^\s,{}]{{1,255}}",
    "ttl": r"[0-9]{{1,10}}",
    "flag": r"[01]",
    "since": r"[0-9]{{1,12}}(?:\.[0-9]{{1,9}})?",
    "suffix": r"\.[^\s,{}]{{1,254}}",
    "top": r"[^\s,.{}]{{1,63}}",
    "target": r"[^\s,{}]{{1,260}}",
    "id": r"[0-9A-Za-z]{{1,32}}",
    "wish": r"[A-Za-z]{{1,16}}",
    "type": r"[A-Za-z][A-Za-z0-9]{{0,9}}",
    "source": r"[A-Za-z]{{1,16}}(?: [A-Za-z]{{1,16}})?",
    "data": r"\S(?:.{{0,498}}\S)?",
    "any": r"(?s:.{{0,4000}}?)",
    "question": r"(?s:.*?)",
    "answer": r"(?s:.*?)",
    "authority": r"(?s:.*?)",
    "additional": r"(?s:.*?)",
}
"""What a field may be, as a pattern; in the braces go the characters that the form has behind the field."""

_SECTIONS: Final = frozenset(("answer", "authority", "additional"))
"""Fields that may be empty, so that no white space is needed around them."""

_ADDRESS_ALONE: Final = r"(?=[^\s,]*[0-9])(?=[^\s,]*[.:])[0-9A-Fa-f.:]{1,255}"
"""A form that has an address without a name must not take any word for one."""

_PIECE: Final = re.compile(r"\{\{|\}\}|\{(\w*)\}|[{}]|[^{}]+")
_AROUND: Final = re.compile(r"\s*([,:=])\s*|\s+")
_NUMBERS: Final = frozenset(("since",))


class TemplateError(ValueError):
    """A form that cannot be used; the text says why."""


def fields_of(form: Form) -> tuple[str, ...]:
    """The fields of ``form``, in order. Raises :class:`TemplateError`."""
    if isinstance(form, tuple):
        names = form
    else:
        pieces = list(_PIECE.finditer(form))
        if any(piece[0] in "{}" for piece in pieces):
            raise TemplateError("has a brace alone: write {{ or }}")
        names = tuple(piece[1] for piece in pieces if piece[1] is not None)
    for name in names:
        if name not in _FIELDS:
            raise TemplateError(f"there is no field {{{name}}}: the fields are {', '.join(_FIELDS)}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TemplateError(f"has {{{min(twice)}}} twice")
    return names


def writer_of(form: Form) -> Callable[[Mapping[str, str]], str]:
    """What writes ``form`` with the values of its fields."""
    names = fields_of(form)
    if isinstance(form, tuple):
        return lambda values: json.dumps([float(values[name]) if name in _NUMBERS else values[name] for name in names])
    if not names:
        fixed = form.replace("{{", "{").replace("}}", "}")
        return lambda values: fixed
    return form.format_map


def reader_of(form: Form) -> Callable[[str], dict[str, str] | None]:
    """What reads ``form`` in a text, white space around which is gone: the fields, or None where it does not fit."""
    names = fields_of(form)
    if isinstance(form, tuple):
        return lambda text: _read_list(text, names)
    pattern = re.compile(_pattern(form), re.IGNORECASE)

    def read(text: str) -> dict[str, str] | None:
        found = pattern.fullmatch(text) if len(text) <= LONGEST else None
        return None if found is None else found.groupdict()

    return read


def _pattern(form: str) -> str:
    pieces = list(_PIECE.finditer(form.strip()))
    made = []
    for index, piece in enumerate(pieces):
        name = piece[1]
        if name is None:
            text = {"{{": "{", "}}": "}"}.get(piece[0], piece[0])
            around = [pieces[at][1] for at in (index - 1, index + 1) if 0 <= at < len(pieces)]
            made.append(rf"\s*{_literal(text.strip())}\s*" if _SECTIONS & set(around) else _literal(text))
            continue
        behind = pieces[index + 1][0][:1].strip() if index + 1 < len(pieces) else ""
        alone = name == "address" and "{name}" not in form
        made.append(f"(?P<{name}>{_ADDRESS_ALONE if alone else _FIELDS[name].format(re.escape(behind))})")
    return "".join(made)


def _literal(text: str) -> str:
    made, at = [], 0
    for gap in _AROUND.finditer(text):
        made.append(re.escape(text[at : gap.start()]))
        made.append(rf"\s*{re.escape(gap[1])}\s*" if gap[1] else r"\s+")
        at = gap.end()
    return "".join(made) + re.escape(text[at:])


def _read_list(text: str, names: tuple[str, ...]) -> dict[str, str] | None:
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if len(found) != len(names) or any(type(each) not in (str, int, float) for each in found):
        return None
    return {name: str(value).strip() for name, value in zip(names, found, strict=True)}
