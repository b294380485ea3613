"""Web pages about packets: one file, no source but its own; diagram, bytes and explanation light up together.

Everything that comes from a capture or from a student is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from labnet.capture.model import Dissected, Field
from labnet.capture.narrative.hexdump import WIDTH, letter, printable
from labnet.capture.narrative.sentences import sentence
from labnet.ladder.style import style

MOST_BYTES: Final = 2048
"""Bytes of one frame that are shown."""
MOST_FIELDS: Final = 200
"""Fields of one layer that are shown."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --on: #ffd54a; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
figure { margin: 0 }
ol.answers { padding-left: 1.4rem } ol.answers > li { margin-bottom: 1rem }
.value { font: 600 1rem ui-monospace, monospace } .missing { font-style: italic }
.right::before { content: "✓ "; color: #2a8a3a } .wrong::before { content: "✗ "; color: #d33 }
.teacher::before { content: "? "; color: #b80 } .score { font-weight: 600; font-size: 1.2rem }
a { color: light-dark(#1559a8, #8ab8ff) }
a.proof { font: .85rem ui-monospace, monospace; margin-right: 1rem }
pre { font: .8rem/1.4 ui-monospace, monospace; overflow-x: auto; margin: .2rem 0 }
.words { display: grid; grid-template-columns: repeat(32, minmax(0, 1fr)); border: 1px solid var(--line); }
.words button { font: .75rem/1.3 system-ui, sans-serif; min-height: 2.4rem; padding: .1rem .2rem; overflow: hidden;
  background: none; color: inherit; border: 0; outline: 1px solid var(--line);
  cursor: pointer; text-overflow: ellipsis; }
.words b { display: block; font: .72rem ui-monospace, monospace; font-weight: 400; white-space: nowrap; }
table.hex { border-collapse: collapse; font: .85rem/1.4 ui-monospace, monospace; margin-top: .6rem; }
table.hex td { padding: 0 .22rem } table.hex td:first-child { opacity: .7; padding-right: .8rem }
table.hex td:nth-child(10) { padding-left: .9rem }
table.list { border-collapse: collapse; font-size: .85rem; width: 100% } .scroll { overflow-x: auto }
table.list td, table.list th { padding: .1rem .5rem; text-align: left; border-bottom: 1px solid var(--line) }
table.list :is(td, th):not(:last-child) { white-space: nowrap }
.on { background: var(--on) !important; color: #000 !important }
.proves { text-decoration: underline 2px; text-underline-offset: 3px }
:focus-visible { outline: 2px solid #2f7bd6 !important; outline-offset: 1px }
output { display: block; min-height: 3rem; font-size: .9rem; position: sticky; bottom: 0; background: var(--paper);
  border-top: 1px solid var(--line); padding: .3rem 0 }
output:empty { background: none; border-color: transparent }
svg.ladder { width: 100%; max-width: 60rem; min-width: 26rem }
@media (max-width: 30rem) {
  body { margin: 1rem auto; padding: 0 .6rem } .words { grid-template-columns: repeat(16, minmax(0, 1fr)) }
  pre { font-size: .5rem }
  table.hex { font-size: .62rem } table.hex td { padding: 0 .1rem } table.hex td:first-child { padding-right: .3rem }
  table.hex td:nth-child(10) { padding-left: .35rem } table.hex td:last-child { display: none }
}
"""

_SCRIPT: Final = """
const lightBytes = (figure, start, end) => {
  for (const one of figure.querySelectorAll("td[data-b]"))
    one.classList.toggle("on", +one.dataset.b >= start && +one.dataset.b < end);
};
for (const figure of document.querySelectorAll("figure")) {
  const says = figure.querySelector("output"), all = [...figure.querySelectorAll("[data-f]")];
  const light = names => { for (const one of all)
    one.classList.toggle("on", one.dataset.f.split(" ").some(name => names.includes(name))); };
  const nameOf = target => target.dataset.f.split(" ").pop();
  const boxOf = name => figure.querySelector(`button[data-f="${name}"]`);
  const show = target => {
    light([nameOf(target)]);
    const box = boxOf(nameOf(target));
    says.textContent = box ? box.title : "";
  };
  for (const one of all) {
    one.addEventListener("mouseenter", () => show(one));
    one.addEventListener("focus", () => show(one));
    one.addEventListener("mouseleave", () => { light([]); says.textContent = ""; });
  }
  figure.addEventListener("keydown", event => {
    const target = event.target, cells = [...figure.querySelectorAll("td[data-b]")];
    if (event.key === "Enter" && target.matches("button[data-f]")) {
      const first = figure.querySelector(`td[data-f~="${nameOf(target)}"]`);
      if (first) { event.preventDefault(); first.focus(); }
    } else if (target.matches("td[data-b]")) {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 16, ArrowUp: -16 }[event.key];
      const box = target.dataset.f ? boxOf(nameOf(target)) : null;
      if (step && cells[cells.indexOf(target) + step]) {
        event.preventDefault(); cells[cells.indexOf(target) + step].focus();
      } else if ((event.key === "Enter" || event.key === "Escape") && box) { event.preventDefault(); box.focus(); }
    }
  });
}
for (const link of document.querySelectorAll("a[data-from]")) {
  const go = () => {
    const figure = document.getElementById(link.hash.slice(1));
    if (figure) lightBytes(figure, +link.dataset.from, +link.dataset.to);
  };
  for (const kind of ["click", "mouseenter", "focus"]) link.addEventListener(kind, go);
}
"""


def document(title: str, body: Iterable[str]) -> str:
    """A whole page that allows itself no source but its own."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title><style>{_STYLE}{style()}</style></head><body><main>",
            f"<h1>{text(title)}</h1>",
            *body,
            f"</main><script>{_SCRIPT}</script></body></html>",
        ]
    )


def proof_link(frame: int, start: int, end: int, says: str) -> str:
    """A link to bytes of a frame, which lights them up."""
    return f'<a class="proof" href="#frame{frame}" data-from="{start}" data-to="{end}">{text(says)}</a>'


def frame_figure(frame: Dissected, proved: set[int]) -> Iterator[str]:
    """One frame: a sentence and a diagram a layer, the bytes, and what the chosen field is; ``proved`` are marked."""
    packet = frame.packet
    fields = list(_leaves(frame))
    yield f'<figure id="frame{packet.number}"><h2>Frame {packet.number}</h2>'
    for index, layer in enumerate(frame.layers):
        yield f"<h3>{text(layer.title)}</h3><div>{text(sentence(frame, layer))}</div>"
        boxes = [box for box in fields if box[0] == index]
        if boxes and layer.name not in ("http", "course", "command", "data"):
            yield '<div class="words">'
            yield from (_box(frame, number, field) for _, number, field in boxes)
            yield "</div>"
    yield "<h3>Bytes</h3>"
    yield from _table(packet.data, fields, proved)
    yield '<output aria-live="polite"></output></figure>'


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
        f'<button data-f="f{number}" style="grid-column: span {wide}" title="{text(title)}">{text(field.title)}'
        f"<b>{text(shown)}</b></button>"
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
            cells.append(f'<td{marked}{named} data-b="{at}" tabindex="{0 if not at else -1}">{shown[at]:02x}</td>')
        cells.extend(["<td></td>"] * (WIDTH - len(cells)))
        letters = "".join(letter(byte) for byte in shown[row : row + WIDTH])
        yield f"<tr><td>{row:04x}</td>{''.join(cells)}<td>{html.escape(letters)}</td></tr>"
    yield "</table>"
    if len(data) > MOST_BYTES:
        yield f"<p>… {len(data) - MOST_BYTES} more bytes</p>"


def text(value: str) -> str:
    """``value`` as text of a page: no markup, no control characters."""
    return html.escape(printable(value))
