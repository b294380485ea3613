"""A grade as one self-contained web page: what to mend first, a ladder for each failure, all bytes."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from typing import Final

from labnet.grade.model import Grade, Outcome, Result
from labnet.grade.report.evidence import Detail, ladder_of, lines_of
from labnet.grade.report.text import MARKS, number, summary
from labnet.ladder.style import style
from labnet.ladder.svg import ladder_svg
from labnet.wire.quoting import quoted

STYLE: Final = """
:root{color-scheme:light dark;--ink:light-dark(#1b2430,#e6eaf0);--muted:light-dark(#56616f,#a6b1bf);
--paper:light-dark(#fff,#12161c);--card:light-dark(#f6f8fb,#1b222c);--rule:light-dark(#d5dce5,#394452);
--good:light-dark(#00695c,#6fd8c9);--bad:light-dark(#b3261e,#ff9d94);--warn:light-dark(#8a5300,#ffcf70)}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:var(--ink);
background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.5rem 0 .75rem}h3{font-size:1rem;margin:0}
.score{font-size:1.1rem;font-weight:600}.muted,dt{color:var(--muted);font-size:.9rem}
.card{border:1px solid var(--rule);border-radius:.5rem;background:var(--card);padding:1rem;margin:0 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.75rem 0}dd{margin:0}
pre{font:.8rem/1.45 ui-monospace,monospace;overflow-x:auto;background:var(--paper);border:1px solid var(--rule);
border-radius:.35rem;padding:.75rem;margin:.5rem 0 0}
summary{cursor:pointer;font-weight:600;margin-top:.75rem}
table{border-collapse:collapse;width:100%;font-size:.95rem}
th{white-space:nowrap}td,th{text-align:left;padding:.35rem .5rem;border-bottom:1px solid var(--rule);vertical-align:top}
.passed .mark{color:var(--good)}.failed .mark{color:var(--bad)}
.unstable .mark,.trouble .mark{color:var(--warn)}.mark{font-weight:700}
svg.ladder{width:100%;max-width:48rem;min-width:38rem}.picture{overflow-x:auto}
:focus-visible{outline:2px solid light-dark(#1f5fbf,#86b7ff);outline-offset:2px}
@media(max-width:40rem){dl{grid-template-columns:1fr}body{margin:1rem auto}
:is(td,th):nth-child(3){display:none}}
"""


def page(grade: Grade, detail: Detail = Detail.FULL) -> str:
    """The page; nothing of it is loaded from elsewhere, and nothing that the program said becomes markup."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">',
        f"<title>{_text(grade.program)}: {_text(grade.title)}</title>",
        f"<style>{STYLE}{style()}</style></head><body><main>",
        f"<h1>{_text(grade.title)}: {_text(grade.program)}</h1>",
        f'<p class="score">{_text(summary(grade))}</p>',
        f'<p class="muted">Level {grade.level}: {_text(grade.level_about)}. Seed {grade.seed}.</p>',
        *_failures(grade, detail),
        "<h2>All checks</h2>",
        "<table><thead><tr><th>Check</th><th>Points</th><th>The assignment</th></tr></thead><tbody>",
        *(_row(result, detail) for result in grade.results),
        "</tbody></table></main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _failures(grade: Grade, detail: Detail) -> Iterator[str]:
    wrong = [result for result in grade.results if result.outcome in (Outcome.FAILED, Outcome.UNSTABLE)]
    if not wrong or detail is Detail.TITLE:
        return
    yield "<h2>Mend this first</h2>"
    for result in sorted(wrong, key=lambda one: -one.check.points):
        yield f'<section class="card {_class(result)}" id="{result.check.id}">'
        yield f'<h3><span class="mark">{MARKS[result.outcome]}</span> {_text(result.check.title)}</h3><dl>'
        facts = [("The assignment", result.check.sentence), ("What was seen", _sentence(result.seen))]
        if result.cause:
            facts.append(("Why", _sentence(result.cause)))
        if detail is Detail.FULL:
            facts += [("What was done", result.check.does), ("What counts", result.check.counts)]
        yield from (f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
        yield "</dl>"
        if result.evidence is not None:
            ladder = ladder_of(result.evidence, f"What went over the wire in the check {result.check.id}")
            yield f'<div class="picture">{ladder_svg(ladder)}</div>'
            if result.evidence.capture:
                data = base64.b64encode(result.evidence.capture).decode()
                link = f'download="{result.check.id}.pcapng" href="data:application/octet-stream;base64,{data}"'
                yield f"<p><a {link}>The capture, for Wireshark</a></p>"
        yield "<details><summary>All bytes</summary><pre>"
        yield "\n".join(_text(line) for line in lines_of(grade, result, detail))
        yield "</pre></details></section>"


def _row(result: Result, detail: Detail) -> str:
    points = f"{number(result.points)} of {number(result.check.points)}" if result.check.points else "advice"
    why = f" (blocked by {result.blocked_by})" if result.outcome is Outcome.BLOCKED else ""
    said = "" if detail is Detail.TITLE else _text(result.check.sentence)
    mark = f'<span class="mark" aria-hidden="true">{MARKS[result.outcome]}</span>'
    return (
        f'<tr class="{_class(result)}"><td>{mark} {_text(result.check.title)} '
        f'<span class="muted">{result.outcome}{why}</span></td><td>{points}</td><td class="muted">{said}</td></tr>'
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _class(result: Result) -> str:
    return "trouble" if result.outcome is Outcome.TROUBLE else str(result.outcome)


def _text(text: str) -> str:
    return html.escape(quoted(text))
