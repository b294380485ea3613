"""The style sheet of ladders: the same colours in a page, on the live page, and in a file alone."""

from __future__ import annotations

from typing import Final

# Text has a contrast of 4.5 to 1 at least on the paper it stands on, lines 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
_LIGHT: Final = {
    "ink": "#1b2430",
    "muted": "#56616f",
    "host": "#eef2f7",
    "rule": "#d5dce5",
    "life": "#8a96a5",
    "way": "#1f5fbf",
    "waits": "#c9dcf7",
    "joined": "#00695c",
    "silence": "#9a3d06",
    "stopped": "#b3261e",
    "fault": "#8a1f9e",
    "hover": "#eaf1fb",
    "paper": "#ffffff",
}
_DARK: Final = {
    "ink": "#e6eaf0",
    "muted": "#a6b1bf",
    "host": "#27303c",
    "rule": "#394452",
    "life": "#6f7d8e",
    "way": "#86b7ff",
    "waits": "#2b4468",
    "joined": "#6fd8c9",
    "silence": "#ffb083",
    "stopped": "#ff9d94",
    "fault": "#eaa8f7",
    "hover": "#222e3f",
    "paper": "#12161c",
}
_RULES: Final = """
.ladder text{font:13px system-ui,sans-serif;fill:INK;text-anchor:middle;unicode-bidi:isolate;direction:ltr}
.ladder .who{font-weight:650;font-size:13px}
.ladder .where,.ladder .time,.ladder .says{font:12px ui-monospace,monospace}
.ladder .where,.ladder .time,.ladder .small{fill:MUTED}.ladder .small{font-size:12px}
.ladder .time,.ladder text.left{text-anchor:end}.ladder text.heading,.ladder text.right{text-anchor:start}
.ladder .heading{font-weight:650}.ladder .heading .small{font-weight:400}
.ladder .host{fill:HOST;stroke:RULE}.ladder .rule{stroke:RULE}.ladder .life{stroke:LIFE;stroke-dasharray:2 4}
.ladder .row{fill:transparent}.ladder .paper{fill:PAPER}
.ladder .way{stroke:WAY;stroke-width:2}.ladder .head{fill:WAY}.ladder .waits{fill:WAITS}
.ladder .words{pointer-events:none}
.ladder .says,.ladder .words .small{paint-order:stroke;stroke:PAPER;stroke-width:4px;stroke-linejoin:round}
.ladder .retry .way{stroke-dasharray:7 5}
.ladder .joined .way{stroke:JOINED}.ladder .joined .ring{stroke:JOINED;stroke-width:2.5;fill:PAPER}
.ladder .silence .says{fill:SILENCE}.ladder .gap{stroke:SILENCE;stroke-width:3;stroke-dasharray:3 4}
.ladder .mark{stroke:STOPPED;stroke-width:2.5;fill:none}
.ladder :is(.dropped,.refused,.limited,.ignored) .way{stroke:STOPPED}
.ladder :is(.dropped,.refused,.limited,.ignored) .small{fill:STOPPED}
.ladder .fault .way,.ladder .fault .mark,.ladder .fault .gap{stroke:FAULT}.ladder .fault .head{fill:FAULT}
.ladder .fault .small,.ladder .silence.fault .says{fill:FAULT}
.ladder .arrow[tabindex]{cursor:pointer;outline:none}
.ladder .arrow[tabindex]:hover .row,.ladder .arrow.open .row{fill:HOVER}
.ladder .arrow:focus-visible .row{fill:HOVER;stroke:WAY;stroke-width:2}
"""


def style(is_alone: bool = False) -> str:
    """The sheet; ``is_alone`` is a file of its own, which is dark on white whatever the reader prefers."""
    light = _coloured(_RULES, _LIGHT)
    if is_alone:
        return light
    dark = "".join(rule for rule in _RULES.splitlines() if any(colour.upper() in rule for colour in _DARK))
    return f"{light}@media(prefers-color-scheme:dark){{{_coloured(dark, _DARK)}}}"


def _coloured(rules: str, colours: dict[str, str]) -> str:
    for name, value in colours.items():
        rules = rules.replace(name.upper(), value)
    return rules.replace("\n", "")
