"""The commands ``capture``, ``explain`` and ``exercise``."""

from __future__ import annotations

import difflib
import functools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, ParamSpec

import click

from labnet.capture.model import CaptureError
from labnet.cli.frame import LabCommand, forms
from labnet.cli.readers import Reader

EXERCISES = (
    "ip", "ip-more", "dhcp", "dhcp-lease", "arp", "http", "http-basics", "trace", "tcp", "udp", "dns", "icmp",
    "ethernet", "tls", "nat",
)  # fmt: skip
"""The exercises that come with labnet."""

PAGE_FRAMES = 50
"""Packets that a page shows layer by layer when nobody said how many."""

Given = ParamSpec("Given")


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0):
        raise ValueError(f"{text!r} is no frame: a whole number from 1")
    return int(text[:12])


def _read_exercise(text: str) -> str:
    if text not in EXERCISES and not text.endswith(".toml"):
        near = difflib.get_close_matches(text, EXERCISES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{text!r} is no exercise: {', '.join(EXERCISES)}, or a file that ends in .toml{hint}")
    return text


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no count: a whole number from 0")
    return int(text[:12])


def _interfaces() -> list[str]:
    try:
        return ["any", *os.listdir("/sys/class/net")]
    except OSError:
        return ["any"]


NUMBER: Final = Reader("number", _read_number)
COUNT: Final = Reader("count", _read_count)
EXERCISE: Final = Reader("exercise", _read_exercise, lambda: EXERCISES)
INTERFACE: Final = Reader("interface", str, _interfaces)
FILE: Final = click.Path(readable=False)
"""Any file: whether it can be read is said by what reads it."""


def _guarded(run: Callable[Given, int]) -> Callable[Given, int]:
    """``run`` with what goes wrong in it as a sentence and a status."""

    @functools.wraps(run)
    def guarded(*words: Given.args, **given: Given.kwargs) -> int:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets question marks
        try:
            status = run(*words, **given)
            sys.stdout.flush()
        except CaptureError as error:
            print(f"labnet: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python's own flush at exit would complain
            return 0
        return status

    return guarded


@click.command(
    cls=LabCommand,
    help="Capture on a Linux interface until Ctrl-C, and write pcapng. It needs the right to: root or CAP_NET_RAW. "
    "Without, the lab and its clients write their own traffic: [capture] file, --capture FILE.",
    examples=[
        ("labnet capture -i lo -w lab.pcapng", "everything on this machine's loopback, until Ctrl-C"),
        ("labnet capture -i any -w lab.pcapng --filter 'udp port 1199' -c 4", "the first four packets of a resolver"),
    ],
)
@click.option(
    "-i", "--interface", type=INTERFACE, required=True, metavar="IFACE", help="Interface: eth0, lo, …; any for all."
)
@click.option("-w", "--write", type=FILE, required=True, metavar="FILE.pcapng", help="The file to write.")
@click.option("--filter", "wanted", metavar="FILTER", help="In tcpdump's language, such as: udp port 1199")
@click.option("-c", "--count", type=NUMBER, metavar="N", help="End after so many packets.")
@click.option("--seconds", type=NUMBER, metavar="N", help="End after so many seconds.")
@_guarded
def capture(interface: str, write: str, wanted: str | None, count: int | None, seconds: int | None) -> int:
    from labnet.capture.record import recording

    for number in signal.SIGINT, signal.SIGTERM:
        # As tcpdump does it: what a shell runs in the background would ignore Ctrl-C, and SIGTERM would cost the end.
        signal.signal(number, signal.default_int_handler)
    recording.capture(interface, write, wanted, count, seconds)
    return 0


@click.command(
    cls=LabCommand,
    help="Print a capture's packet list, its exchanges and sessions, and its packets layer by layer.",
    examples=[
        ("labnet explain lab.pcapng", "all of it, as text"),
        ("labnet explain lab.pcapng --frame 2", "one frame, with every field and its bytes"),
        ("labnet explain lab.pcapng --html > lab.html", "a page for a browser"),
    ],
)
@click.argument("file", type=FILE, metavar="FILE", help="A pcap or pcapng file.")
@click.option("--frame", type=NUMBER, metavar="N", help="Tell this frame alone, with every field.")
@click.option("--packets", type=COUNT, metavar="N", help="Packets shown layer by layer [200].")
@forms(html="Print one self-contained web page, with ladders.", json="Print JSON.")
@_guarded
def explain(file: str, frame: int | None, packets: int | None, form: str | None) -> int:
    from labnet.capture.narrative import explain as told
    from labnet.capture.narrative.progress import ProgressBar
    from labnet.capture.narrative.terminal import wants_colour, width_of, wrapped

    colour = wants_colour(sys.stdout)
    if form:
        from labnet.capture.narrative.explain_page import explain_json, explain_page

        most = PAGE_FRAMES if packets is None else packets
        make = explain_page if form == "html" else explain_json
        print(make(file, most, ProgressBar(sys.stderr, sys.stdout).show))
        return 0
    if frame is not None:
        lines = told.explain_frame(file, frame, colour)
    else:
        most = told.STORIES if packets is None else packets
        lines = told.explain(file, most, colour, ProgressBar(sys.stderr, sys.stdout).show)
    for line in wrapped(lines, width_of(sys.stdout)):
        sys.stdout.write(line + "\n")
    return 0


@dataclass(frozen=True)
class ExerciseRun:
    """Which exercise is to be answered from which file, and what is to be made of the answers."""

    exercise: str
    file: str
    check: str | None
    csv: str | None
    exchange: int
    outside: str | None
    form: str | None


@click.command(
    cls=LabCommand,
    help="Answer the questions of an exercise from a capture, with the bytes that prove each answer, or mark your own. "
    "Exit status: 0, 1 where an answer is wrong or the capture holds none, 2 where a file cannot be read.",
    examples=[
        ("labnet exercise trace docs/trace.pcapng", "the answers of the trace exercise"),
        ("labnet exercise ip ping.pcapng --blank > answers.toml", "the questions, to fill in"),
        ("labnet exercise ip ping.pcapng --check answers.toml", "your answers, marked"),
    ],
)
@click.argument("exercise", type=EXERCISE, metavar="EXERCISE", help=f"{', '.join(EXERCISES)} or FILE.toml.")
@click.argument("file", type=FILE, metavar="FILE", help="A pcap or pcapng file.")
@click.option(
    "--check", type=FILE, metavar="ANSWERS.toml", help="Mark the answers in this file, or of all in a folder."
)
@click.option("--csv", type=FILE, metavar="FILE.csv", help="With a folder: write a line a sheet into this file.")
@click.option("--exchange", type=NUMBER, metavar="N", default=0, help="For trace: exchange N that went to a parent.")
@click.option("--outside", type=FILE, metavar="FILE", help="For nat: the capture outside of the router.")
@forms(
    json="Print JSON.",
    html="Print one self-contained web page.",
    svg="Print a picture; for trace alone.",
    key="Print the right answers as TOML, for the teacher.",
    blank="Print the questions as TOML to fill in.",
)
@_guarded
def exercise(**given: Any) -> int:
    return _exercise(ExerciseRun(**given))


def _exercise(asked: ExerciseRun) -> int:
    from labnet.capture.exercises.marking.verdicts import mark_best, read_sheet
    from labnet.capture.exercises.page import page
    from labnet.capture.exercises.run import run, slug
    from labnet.capture.exercises.text import answered, as_json, blank, key, marked
    from labnet.capture.narrative.progress import ProgressBar
    from labnet.capture.narrative.terminal import wants_colour, width_of, wrapped
    from labnet.ladder.svg import ladder_svg

    if asked.check is not None and os.path.isdir(asked.check):
        return _mark_folder(asked, asked.check)
    sheet = None if asked.check is None else read_sheet(asked.check, slug(asked.exercise))
    every = (sheet is not None or asked.form == "key") and not asked.exchange
    progress = ProgressBar(sys.stderr, sys.stdout).show
    done = run(asked.exercise, asked.file, progress, asked.exchange, every, asked.outside)
    marks = None if sheet is None else mark_best([done.answers, *done.others], sheet)
    if asked.form == "json":
        print(as_json(done, marks))
    elif asked.form == "html":
        print(page(done, marks))
    elif asked.form == "svg":
        if done.ladder is None:
            raise CaptureError("only a trace with its four packets has a picture: labnet exercise trace FILE --svg")
        print(ladder_svg(done.ladder, is_alone=True))
    elif asked.form == "key":
        print("\n".join(key(done)))
    elif asked.form == "blank":
        print("\n".join(blank(done)))
    else:
        lines = answered(done, wants_colour(sys.stdout)) if marks is None else marked(marks)
        for line in wrapped(lines, width_of(sys.stdout)):
            print(line)
    wrong = [one for one in marks or () if one.verdict not in ("right", "open")]
    return 1 if wrong or (marks is None and all(answer.value is None for answer in done.answers)) else 0


def _mark_folder(asked: ExerciseRun, folder: str) -> int:
    """Mark every sheet of ``folder``; status 0 where all could be read."""
    from labnet.capture.exercises.marking.batch import mark_folder, write_csv
    from labnet.capture.narrative.hexdump import printable

    rows = mark_folder(asked.exercise, asked.file, folder)
    try:
        with open(asked.csv or os.devnull, "w", newline="", encoding="utf-8") as file:
            for line in write_csv(rows, file):
                print(printable(line))
    except OSError as error:
        raise CaptureError(f"{asked.csv}: cannot be written: {error.strerror}") from None
    return 0
