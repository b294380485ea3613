"""``labnet watch``: the ladder of what happens in a running lab, live in a terminal."""

from __future__ import annotations

import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from labnet.cli.frame import LabCommand
from labnet.cli.missing import needs
from labnet.console.running import Where, control_of, on_running_lab
from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.console.following import Following
    from labnet.console.ladder_screen import LadderScreen

_BETWEEN: Final = 0.2
"""Seconds between two drawings of the screen, at least."""

_MOST_WAITING: Final = 1_000
"""Events that wait to be drawn; past them the lab is not read on, and says what it left out."""

_STYLES: Final = {
    "title": "reverse", "head": "bold", "heading": "bold", "retry": "cyan", "joined": "green", "silence": "yellow",
    "ignored": "red", "dropped": "red", "refused": "red", "limited": "red", "fault": "magenta",
}  # fmt: skip


@click.command(
    cls=LabCommand,
    help="Draw the ladder of what happens in a running lab as it happens, until Ctrl-C: a column a host, an arrow a "
    "datagram. Where no terminal reads it, each exchange is printed as it ends. It is the picture of the live page, "
    "which has to be on. Exit status: 0, or 2 where no lab or page answers.",
    examples=[
        ("labnet watch", "everything, until Ctrl-C"),
        ("labnet watch --name example.org", "questions whose name has that in it"),
        ("labnet watch --words", "in sentences, for a screen reader"),
    ],
)
@click.option("--name", metavar="TEXT", default="", help="Only questions whose name has TEXT in it.")
@click.option("--client", metavar="ADDRESS", default="", help="Only those of this client.")
@click.option("--resolver", metavar="RESOLVER", default="", help="Only those to this resolver.")
@click.option("--result", metavar="RESULT", default="", help="Only those with this result: hit, asked, failed, …")
@click.option("--page", metavar="URL", help="The address of the page, with its token if it has one [the lab says it].")
@click.option("--words", is_flag=True, help="Print sentences instead of drawing.")
@on_running_lab
def watch(where: Where, page: str | None, words: bool, **filters: str) -> int:
    from labnet.console.following import Following
    from labnet.console.ladder_screen import LadderScreen

    following = Following(page or _page_of(where), filters)
    screen = LadderScreen(_hosts(following.lab()))
    try:
        if words or not sys.stdout.isatty():
            _print(following, screen, words)
        else:
            _draw(following, screen)
    except KeyboardInterrupt:
        pass
    return 0


def _page_of(where: Where) -> str:
    from labnet.console.control import ControlError

    with control_of(where) as control:
        pages: list[str] = control.ask("status").get("page", [])
    if not pages:
        raise ControlError("this lab has no page: give it one by the key `page` of [console]")
    return pages[0]


def _hosts(lab: dict[str, Any]) -> dict[str, str]:
    """What listens at each address of ``lab``."""
    return {
        listen.partition(" ")[2]: f"resolver {resolver['name']}"
        for resolver in lab["resolvers"]
        for listen in resolver["listens"]
    }


def _print(following: Following, screen: LadderScreen, words: bool) -> None:
    from labnet.console.following import LOST, OPENED

    for kind, value in following.events():
        if kind == LOST:
            print(f"labnet: {quoted(value)}; trying again", file=sys.stderr)
        elif kind == OPENED:
            print(f"watching {value}; Ctrl-C ends it", file=sys.stderr, flush=True)
        elif kind == "skipped":
            print(f"skipped {value['count']}", flush=True)
        elif screen.take(kind, value):
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
            for line in screen.one(kind, value, width, words):
                print(line, flush=True)


def _draw(following: Following, screen: LadderScreen) -> None:
    with needs("rich", "console", "labnet watch --words goes without"):
        from rich.console import Console
        from rich.live import Live
    console = Console(emoji=False, markup=False, highlight=False)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        live.update(_text(screen, console.width, console.height), refresh=True)
        for _ in _paced(following, screen):
            live.update(_text(screen, console.width, console.height), refresh=True)


def _paced(following: Following, screen: LadderScreen) -> Iterator[None]:
    """Once for all that came since, and not more often than a terminal can show; what waits is bounded."""
    from labnet.console.following import LOST, OPENED

    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(_MOST_WAITING)

    def read() -> None:
        for event in following.events():
            waiting.put(event)

    threading.Thread(target=read, daemon=True).start()
    while True:
        taken = [waiting.get()]
        while len(taken) < _MOST_WAITING and not waiting.empty():
            taken.append(waiting.get())
        for kind, value in taken:
            if kind == LOST:
                screen.lost = value
            elif screen.take(kind, value) or kind == OPENED:
                screen.lost = ""
        yield
        time.sleep(_BETWEEN)


def _text(screen: LadderScreen, width: int, height: int) -> Any:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop")
    for kind, line in screen.lines(width, height, "labnet watch · Ctrl-C ends"):
        text.append(f"{line}\n", _STYLES.get(kind, ""))
    return text
