"""An exercise as one self-contained web page: the packet's diagram and its bytes, each lighting up with the other.

Everything that comes from the capture or from a student is escaped, and the page allows itself no source but its own.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from labnet.capture.exercises.marking import Mark, score
from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.run import Done
from labnet.capture.model import Dissected, Field
from labnet.capture.narrative.hexdump import WIDTH, letter, printable
from labnet.capture.narrative.sentences import sentence

MOST_BYTES: Final = 2048
"""Bytes of one frame that are shown."""
MOST_FIELDS: Final = 200
"""Fields of one layer that are shown."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --on: #ffd54a; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
ol.answers { padding-left: 1.4rem } ol.answers > li { margin-bottom: 1rem }
.value { font: 600 1rem ui-monospace, monospace } .missing { font-style: italic }
.right::before { content: "✓ "; color: #2a8a3a } .wrong::before { content: "✗ "; color: #c33 }
.teacher::before { content: "? "; color: #b80 } .score { font-weight: 600; font-size: 1.2rem }
a.proof { font: .85rem ui-monospace, monospace; margin-right: 1rem }
.words { display: grid; grid-template-columns: repeat(32, minmax(0, 1fr)); border: 1px solid var(--line); }
.words button { font: .75rem/1.3 system-ui, sans-serif; min-height: 2.4rem; padding: .1rem .2rem; overflow: hidden;
  background: none; color: inherit; border: 0; outline: 1px solid var(--line);
  cursor: pointer; text-overflow: ellipsis; }
.words b { display: block; font: .72rem ui-monospace, monospace; font-weight: 400; white-space: nowrap; }
table.hex { border-collapse: collapse; font: .85rem/1.4 ui-monospace, monospace; margin-top: .6rem; }
table.hex td { padding: 0 .22rem } table.hex td:first-child { opacity: .6; padding-right: .8rem }
table.hex td:nth-child(10) { padding-left: .9rem }
.on { background: var(--on) !important; color: #000 !important }
.proves { text-decoration: underline 2px; text-underline-offset: 3px }
output { display: block; min-height: 1.5rem; font-size: .9rem }
"""

_SCRIPT: Final = """
for (const figure of document.querySelectorAll("figure")) {
  const says = figure.querySelector("output"), all = figure.querySelectorAll("[data-f]");
  const light = names => { for (const one of all)
    one.classList.toggle("on", one.dataset.f.split(" ").some(name => names.includes(name))); };
  const show = target => {
    const names = target.dataset.f.split(" "), name = names[names.length - 1];
    light([name]);
    const box = figure.querySelector(`button[data-f="${name}"]`);
    says.textContent = box ? box.title : "";
  };
  for (const one of all) {
    one.addEventListener("mouseenter", () => show(one));
    one.addEventListener("focus", () => show(one));
    one.addEventListener("mouseleave", () => { light([]); says.textContent = ""; });
  }
}
"""


def page(done: Done, marks: Sequence[Mark] | None) -> str:
    """The whole page; ``marks`` are a student's answers, marked."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(done.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(done.title)}</h1>",
        f'<p class="score">{score(marks)}</p>' if marks is not None else "",
        *_answers(done, marks),
    ]
    for number in sorted(done.frames):
        proved = [proof for answer in done.answers for proof in answer.proofs if proof.frame == number]
        inside = {at for proof in proved for at in range(proof.offset, proof.offset + len(proof.data))}
        parts.extend(_frame(done.frames[number], inside))
    if done.stopped:
        parts.append(f"<p>Note: {_text(done.stopped)}.</p>")
    return "\n".join([*parts, f"<script>{_SCRIPT}</script></body></html>"])


def _answers(done: Done, marks: Sequence[Mark] | None) -> Iterator[str]:
    by_key = {mark.key: mark for mark in marks or ()}
    yield '<ol class="answers">'
    for answer in done.answers:
        yield f"<li><div>{_text(answer.question)} <small>({_text(answer.key)})</small></div>"
        mark = by_key.get(answer.key)
        if mark is not None and mark.given:
            verdict = mark.verdict if mark.verdict in ("right", "wrong", "teacher") else ""
            yield f'<div class="{verdict}">your answer: {_text(mark.given)}; {_text(mark.reason)}</div>'
        yield from _answer(answer)
        yield "</li>"
    yield "</ol>"


def _answer(answer: ExerciseAnswer) -> Iterator[str]:
    if answer.value is None:
        yield f'<div class="missing">Not in this capture. {_text(answer.missing or "")}</div>'
        return
    yield f'<div class="value">{_text(answer.value)}</div><div>{_text(answer.explanation)}</div>'
    for proof in answer.proofs:
        shown = proof.data[:32].hex(" ") + (" …" if len(proof.data) > 32 else "")
        yield f'<a class="proof" href="#frame{proof.frame}">{_text(proof.place)}: {shown}</a>'


def _frame(frame: Dissected, proved: set[int]) -> Iterator[str]:
    packet = frame.packet
    fields = list(_leaves(frame))
    yield f'<figure id="frame{packet.number}"><h2>Frame {packet.number}</h2>'
    for index, layer in enumerate(frame.layers):
        yield f"<h3>{_text(layer.title)}</h3><div>{_text(sentence(frame, layer))}</div>"
        boxes = [box for box in fields if box[0] == index]
        if boxes and layer.name not in ("http", "course", "command"):
            yield '<div class="words">'
            yield from (_box(frame, number, field) for _, number, field in boxes)
            yield "</div>"
    yield "<h3>Bytes</h3>"
    yield from _table(packet.data, fields, proved)
    yield "<output></output></figure>"


def _leaves(frame: Dissected) -> Iterator[tuple[int, int, Field]]:
    """Layer, number and field; of a field that holds others only the bytes before them."""
    number = 0
    for index, layer in enumerate(frame.layers):
        for field, following in zip_longest(layer.fields[:MOST_FIELDS], layer.fields[1:MOST_FIELDS]):
            if field.bits is None and following is not None and following.offset < field.end:
                if following.offset <= field.offset:
                    continue
                field = replace(field, length=following.offset - field.offset)
            if field.offset < MOST_BYTES:
                number += 1
                yield index, number, field


def _box(frame: Dissected, number: int, field: Field) -> str:
    """A field in the diagram, as wide as it has bits, 32 to a row."""
    wide = min(max(field.bits[1] if field.bits else field.length * 8, 1), 32)
    raw = frame.packet.data[field.offset : field.end][:16].hex(" ")
    title = f"{field.title}: {printable(field.shown)} — {field.name}, byte {field.offset}, {field.length} long: {raw}"
    shown = printable(field.shown)[:60]
    return (
        f'<button data-f="f{number}" style="grid-column: span {wide}" title="{_text(title)}">{_text(field.title)}'
        f"<b>{_text(shown)}</b></button>"
    )


def _table(data: bytes, fields: Sequence[tuple[int, int, Field]], proved: set[int]) -> Iterator[str]:
    names: dict[int, list[str]] = {}
    for _, number, field in fields:
        for at in range(field.offset, min(field.end, MOST_BYTES)):
            names.setdefault(at, []).append(f"f{number}")
    yield '<table class="hex">'
    shown = data[:MOST_BYTES]
    for row in range(0, len(shown), WIDTH):
        cells = []
        for at in range(row, min(row + WIDTH, len(shown))):
            marked = ' class="proves"' if at in proved else ""
            named = f' data-f="{" ".join(names[at])}"' if at in names else ""
            cells.append(f"<td{marked}{named}>{shown[at]:02x}</td>")
        cells.extend(["<td></td>"] * (WIDTH - len(cells)))
        letters = "".join(letter(byte) for byte in shown[row : row + WIDTH])
        yield f"<tr><td>{row:04x}</td>{''.join(cells)}<td>{html.escape(letters)}</td></tr>"
    yield "</table>"
    if len(data) > MOST_BYTES:
        yield f"<p>… {len(data) - MOST_BYTES} more bytes</p>"


def _text(value: str) -> str:
    return html.escape(printable(value))
