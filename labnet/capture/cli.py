"""The subcommands ``capture``, ``explain`` and ``exercise`` of the ``labnet`` command."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from labnet.capture.model import CaptureError

EXERCISES = (
    "ip", "ip-more", "dhcp", "dhcp-lease", "arp", "http", "http-basics", "trace", "tcp", "udp", "dns", "icmp",
    "ethernet", "tls", "nat",
)  # fmt: skip
"""The exercises that come with labnet."""

PAGE_FRAMES = 50
"""Packets that a page shows layer by layer when nobody said how many."""

Tap = Callable[[socket.socket], socket.socket]


def add_commands(commands: Any) -> None:
    """Add them to argparse's ``commands``. Nothing of what they need is imported until one of them runs."""
    capture = commands.add_parser("capture", help="capture packets into a file", description=_CAPTURE)
    capture.add_argument("-i", "--interface", required=True, metavar="IFACE", help="eth0, lo, …; any for all")
    capture.add_argument("-w", "--write", required=True, metavar="FILE.pcapng", help="the file to write")
    capture.add_argument("--filter", metavar="FILTER", help="in tcpdump's language, such as: udp port 1199")
    capture.add_argument("-c", "--count", type=_number, metavar="N", help="end after so many packets")
    capture.add_argument("--seconds", type=_number, metavar="N", help="end after so many seconds")
    capture.set_defaults(run=_guarded(_capture))

    explain = commands.add_parser("explain", help="tell what is in a capture", description=_EXPLAIN)
    explain.add_argument("file", metavar="FILE", help="a pcap or pcapng file")
    explain.add_argument("--frame", type=_number, metavar="N", help="tell this frame alone, with every field")
    explain.add_argument("--packets", type=_count, metavar="N", help="packets shown layer by layer [200]")
    form = explain.add_mutually_exclusive_group()
    form.add_argument("--html", action="store_true", help="print one self-contained web page, with ladders")
    form.add_argument("--json", action="store_true", help="print JSON")
    explain.set_defaults(run=_guarded(_explain))

    exercise = commands.add_parser("exercise", help="answer an exercise from a capture", description=_EXERCISE)
    named = f"{', '.join(EXERCISES)} or FILE.toml"
    exercise.add_argument("exercise", type=_exercise_name, metavar="EXERCISE", help=named)
    exercise.add_argument("file", metavar="FILE", help="a pcap or pcapng file")
    exercise.add_argument(
        "--check", metavar="ANSWERS.toml", help="mark the answers in this file, or of all in a folder"
    )
    exercise.add_argument("--csv", metavar="FILE.csv", help="with a folder: write a line a sheet into this file")
    exercise.add_argument(
        "--exchange", type=_number, metavar="N", default=0, help="for trace: exchange N that went to a parent"
    )
    exercise.add_argument("--outside", metavar="FILE", help="for nat: the capture outside of the router")
    form = exercise.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--html", action="store_true", help="print one self-contained web page")
    form.add_argument("--svg", action="store_true", help="print a picture; for trace alone")
    form.add_argument("--key", action="store_true", help="print the right answers as TOML, for the teacher")
    form.add_argument("--blank", action="store_true", help="print the questions as TOML to fill in")
    exercise.set_defaults(run=_guarded(_exercise))


_CAPTURE = (
    "Capture on a Linux interface until Ctrl-C, and write pcapng. It needs the right to: root or CAP_NET_RAW. Without, "
    "the lab and its clients write their own traffic: [capture] file, --capture FILE."
)
_EXPLAIN = "Print a capture's packet list, its exchanges and sessions, and its packets layer by layer."

_EXERCISE = (
    "Answer the questions of an exercise from a capture, with the bytes that prove each answer, or mark your own. Exit "
    "status: 0, 1 where an answer is wrong or the capture holds none, 2 where a file cannot be read."
)


@contextlib.contextmanager
def captured(path: str | None) -> Iterator[dict[str, Tap]]:
    """The argument ``tap`` for a client whose traffic is to be written to ``path``; without one there is none.

    A file that cannot be opened ends the program with a sentence and status 2.
    """
    if path is None:
        yield {}
        return
    from labnet.capture.record.own_traffic import OwnTraffic
    from labnet.capture.record.tapping import TappedSocket

    failures: list[str] = []
    traffic = OwnTraffic(path, time.time_ns, failures.append)
    traffic.open()
    if failures:
        print(f"labnet: {failures[0]}", file=sys.stderr)
        raise SystemExit(2)
    try:
        yield {"tap": lambda sock: cast(socket.socket, TappedSocket(sock, traffic))}
    finally:
        traffic.close()
        for why in failures:
            print(f"labnet: {why}", file=sys.stderr)


@contextlib.contextmanager
def tapped_dnspython(tap: Tap = lambda sock: sock) -> Iterator[None]:
    """Meanwhile every socket that dnspython's queries open goes through ``tap``."""
    import dns.query

    before: Any = dns.query.socket_factory
    dns.query.socket_factory = lambda *arguments: tap(before(*arguments))
    try:
        yield
    finally:
        dns.query.socket_factory = before


def _guarded(run: Any) -> Any:
    def guarded(arguments: argparse.Namespace) -> int:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets question marks
        try:
            status: int = run(arguments)
            sys.stdout.flush()
        except CaptureError as error:
            print(f"labnet: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python's own flush at exit would complain
            return 0
        except KeyboardInterrupt:
            return 130
        return status

    return guarded


def _capture(arguments: argparse.Namespace) -> int:
    from labnet.capture.record.recording import capture

    for number in signal.SIGINT, signal.SIGTERM:
        # As tcpdump does it: what a shell runs in the background would ignore Ctrl-C, and SIGTERM would cost the end.
        signal.signal(number, signal.default_int_handler)
    capture(arguments.interface, arguments.write, arguments.filter, arguments.count, arguments.seconds)
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from labnet.capture.narrative.explain import STORIES, explain, explain_frame
    from labnet.capture.narrative.progress import Bar
    from labnet.capture.narrative.terminal import wants_colour, width_of, wrapped

    colour = wants_colour(sys.stdout)
    if arguments.html or arguments.json:
        from labnet.capture.narrative.explain_page import explain_json, explain_page

        most = PAGE_FRAMES if arguments.packets is None else arguments.packets
        make = explain_page if arguments.html else explain_json
        print(make(arguments.file, most, Bar(sys.stderr, sys.stdout).show))
        return 0
    if arguments.frame is not None:
        lines = explain_frame(arguments.file, arguments.frame, colour)
    else:
        most = STORIES if arguments.packets is None else arguments.packets
        lines = explain(arguments.file, most, colour, Bar(sys.stderr, sys.stdout).show)
    for line in wrapped(lines, width_of(sys.stdout)):
        sys.stdout.write(line + "\n")
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no frame: a whole number from 1")
    return int(text[:12])


def _exercise_name(text: str) -> str:
    if text not in EXERCISES and not text.endswith(".toml"):
        near = difflib.get_close_matches(text, EXERCISES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise argparse.ArgumentTypeError(
            f"{text!r} is no exercise: {', '.join(EXERCISES)}, or a file that ends in .toml{hint}"
        )
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: a whole number from 0")
    return int(text[:12])


def _exercise(arguments: argparse.Namespace) -> int:
    from labnet.capture.exercises.marking.verdicts import mark_best, read_sheet
    from labnet.capture.exercises.page import page
    from labnet.capture.exercises.run import run, slug
    from labnet.capture.exercises.text import answered, as_json, blank, key, marked
    from labnet.capture.narrative.progress import Bar
    from labnet.capture.narrative.terminal import wants_colour, width_of, wrapped
    from labnet.ladder.svg import ladder_svg

    if arguments.check is not None and os.path.isdir(arguments.check):
        return _mark_folder(arguments)
    sheet = None if arguments.check is None else read_sheet(arguments.check, slug(arguments.exercise))
    every = (sheet is not None or arguments.key) and not arguments.exchange
    progress = Bar(sys.stderr, sys.stdout).show
    done = run(arguments.exercise, arguments.file, progress, arguments.exchange, every, arguments.outside)
    marks = None if sheet is None else mark_best([done.answers, *done.others], sheet)
    if arguments.json:
        print(as_json(done, marks))
    elif arguments.html:
        print(page(done, marks))
    elif arguments.svg:
        if done.ladder is None:
            raise CaptureError("only a trace with its four packets has a picture: labnet exercise trace FILE --svg")
        print(ladder_svg(done.ladder, is_alone=True))
    elif arguments.key:
        print("\n".join(key(done)))
    elif arguments.blank:
        print("\n".join(blank(done)))
    else:
        lines = answered(done, wants_colour(sys.stdout)) if marks is None else marked(marks)
        for line in wrapped(lines, width_of(sys.stdout)):
            print(line)
    wrong = [one for one in marks or () if one.verdict not in ("right", "open")]
    return 1 if wrong or (marks is None and all(answer.value is None for answer in done.answers)) else 0


def _mark_folder(arguments: argparse.Namespace) -> int:
    """Mark every sheet of a folder; status 0 where all could be read."""
    from labnet.capture.exercises.marking.batch import mark_folder, write_csv
    from labnet.capture.narrative.hexdump import printable

    rows = mark_folder(arguments.exercise, arguments.file, arguments.check)
    try:
        with open(arguments.csv or os.devnull, "w", newline="", encoding="utf-8") as file:
            for line in write_csv(rows, file):
                print(printable(line))
    except OSError as error:
        raise CaptureError(f"{arguments.csv}: cannot be written: {error.strerror}") from None
    return 0
