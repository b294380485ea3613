"""The commands by which an operator looks into a running lab and changes it until its next reload."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from labnet.cli.frame import Decorated, LabCommand
from labnet.cli.readers import Reader
from labnet.console.running import Where, control_of, on_running_lab
from labnet.wire.quoting import quoted

LEVELS: Final = ("debug", "info", "warn", "error", "critical")
"""Of the log, as Twisted names them."""


def _read_level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"{text!r} is no level of the log: {', '.join(LEVELS)}")
    return text.lower()


LEVEL: Final = Reader("level", _read_level, lambda: LEVELS)


def _of_resolver(says: str = "Of this resolver [the first one].") -> Callable[[Decorated], Decorated]:
    return click.option("--resolver", metavar="RESOLVER", help=says)


@click.command(
    cls=LabCommand,
    help="Print why a running lab would answer what for NAME: its records, what it learned, or the parents that it "
    "would ask. Nobody is asked. NAME is as labnet cache dump prints it. Exit status: 0, 1 where parents would be "
    "asked, 2 no lab answers.",
    examples=[
        ("labnet lookup www.google.co.il", "what would answer it now"),
        ("labnet lookup example.org MX", "the same for mail servers"),
        ("labnet lookup --client 192.0.2.7 ads.example", "what that client is told, where lists are for some alone"),
        (r"labnet lookup 'foo\.bar.test'", "a dot inside of a label"),
    ],
)
@click.argument("name", metavar="NAME", help="The name.")
@click.argument("rrtype", metavar="[TYPE]", default="A", help="The type of records. Default: A.")
@_of_resolver()
@click.option("--client", metavar="ADDRESS", help="Who asks [one that is in no network of a list].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@on_running_lab
def lookup(where: Where, name: str, rrtype: str, resolver: str | None, client: str | None, as_json: bool) -> int:
    with control_of(where) as control:
        found = control.ask("lookup", name=name, type=rrtype, resolver=resolver, client=client)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        for line in _looked_up(found):
            print(quoted(line))
    return 0 if found["status"] is not None else 1


def _looked_up(found: dict[str, Any]) -> Iterator[str]:
    yield f"resolver {found['resolver']}:"
    yield from (f"  {step}" for step in found["steps"])
    if found["status"] is None:
        yield f"{found['asked']} would be asked of:"
        yield from (f"  {parent}" for parent in found["parents"])
    else:
        yield f"{found['status']}:" if found["answer"] else f"{found['status']}, no records"
        yield from (f"  {line}" for line in found["answer"])


@click.command(
    cls=LabCommand,
    help="Have a running lab serve one more record until its next reload: NAME [TTL] TYPE DATA as in a master file, or "
    "NAME,ADDRESS,TTL. Exit status: 0 done, 2 it cannot be served, or no lab answers.",
    examples=[
        ("labnet add www.lab.test 60 A 192.0.2.1", "one more address"),
        ("labnet add www.lab.test,21.09.1992.8,60", "a line of the course, whose address is none"),
        ("labnet add --resolver parent lab.test MX '10 mail.lab.test'", "to another resolver than the first one"),
    ],
)
@click.argument("record", nargs=-1, required=True, metavar="RECORD…", help="The record, in one word or several.")
@_of_resolver("To this resolver [the first one].")
@on_running_lab
def add(where: Where, record: tuple[str, ...], resolver: str | None) -> int:
    with control_of(where) as control:
        done = control.ask("add", record=" ".join(record), resolver=resolver)
    for line in done["lines"]:
        print(quoted(f"{done['resolver']} serves until its next reload: {line}"))
    return 0


@click.command(
    cls=LabCommand,
    help="Have a running lab serve records of NAME no longer, until its next reload: all of them, those of TYPE, or "
    "the one with DATA. Exit status: 0 done, 1 there is no such record, 2 it cannot be, or no lab answers.",
    examples=[
        ("labnet remove www.lab.test", "every record of the name"),
        ("labnet remove www.lab.test A", "its addresses"),
        ("labnet remove www.lab.test A 192.0.2.1", "one of them"),
    ],
)
@click.argument("name", metavar="NAME", help="The name.")
@click.argument("rrtype", required=False, metavar="[TYPE]", help="The type of records.")
@click.argument("data", nargs=-1, metavar="[DATA…]", help="The record's data.")
@_of_resolver()
@on_running_lab
def remove(where: Where, name: str, rrtype: str | None, data: tuple[str, ...], resolver: str | None) -> int:
    with control_of(where) as control:
        done = control.ask("remove", name=name, type=rrtype, data=" ".join(data), resolver=resolver)
    title, count = quoted(done["resolver"]), done["count"]
    if not count:
        print(f"labnet: the records of {title} have none like that", file=sys.stderr)
        return 1
    print(f"{title} serves {count} record(s) no longer, until its next reload")
    return 0


@click.command(
    cls=LabCommand,
    help="Print the questions that a running lab is asking its parents now, the oldest first: name, type, seconds, "
    "clients that wait, parents. Exit status: 0, 2 no lab answers.",
    examples=[("labnet requests", "what is in flight now")],
)
@_of_resolver("Of this resolver alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@on_running_lab
def requests(where: Where, resolver: str | None, as_json: bool) -> int:
    with control_of(where) as control:
        found = list(control.stream("requests", resolver=resolver))
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for one in found:
        waits = f"{one['clients']} client(s) wait" if one["clients"] else "for nobody"
        at = f"{one['resolver']}, worker {one['worker']}" if "worker" in one else one["resolver"]
        print(quoted(f"{one['name']} {one['type']} {one['seconds']:.3f} s, {waits}, {at} asks {one['parents']}"))
    print(f"{len(found)} question(s) in flight")
    return 0


@click.command(
    cls=LabCommand,
    help="Have a running lab ask the primaries of ZONE now, or those of all zones that it has from other servers, and "
    "print what came of it. Exit status: 0 the newest version is there, 1 it is not to be had, 2 no such zone, "
    "or no lab answers.",
    examples=[
        ("labnet transfer lab.test", "one zone"),
        ("labnet transfer", "all zones of other servers"),
    ],
)
@click.argument("zone", metavar="[ZONE]", required=False, help="The zone. Default: all.")
@on_running_lab
def transfer(where: Where, zone: str | None) -> int:
    with control_of(where) as control:
        found = control.ask("transfer", name=zone)
    for resolver, name, done, says in found:
        print(quoted(f"{resolver}: {name}: {says}"), file=sys.stdout if done else sys.stderr)
    return 0 if all(done for _, _, done, _ in found) else 1


@click.command(
    cls=LabCommand,
    help="Print what a running lab counted since its start, a line each, by the names of its metrics. Exit status: 0, "
    "2 no lab answers.",
    examples=[
        ("labnet stats", "everything"),
        ("labnet stats queries cache", "what has one of these words in its name"),
    ],
)
@click.argument("words", nargs=-1, metavar="[WORD…]", help="What a metric's name has in it. Default: all.")
@on_running_lab
def stats(where: Where, words: tuple[str, ...]) -> int:
    from labnet.metrics import FAMILIES

    with control_of(where) as control:
        samples = control.ask("samples")
    for name, labels, value in samples:
        if name in FAMILIES and (not words or any(word in name for word in words)):
            named = ",".join(f"{label}={text}" for label, text in zip(FAMILIES[name].labels, labels, strict=False))
            count = f"{sum(value[:-1]):g} in {value[-1]:g} s" if isinstance(value, list) else f"{value:.15g}"
            print(quoted(f"{name}{'{' + named + '}' if named else ''} {count}"))
    return 0


@click.command(
    "log-level",
    cls=LabCommand,
    help="Print from which level on a running lab writes into its log, or have it write from LEVEL on until it ends: "
    "debug, info, warn, error, critical. Exit status: 0, 2 no lab answers.",
    examples=[
        ("labnet log-level", "the level now"),
        ("labnet log-level warn", "nothing but warnings and errors"),
    ],
)
@click.argument("level", type=LEVEL, required=False, metavar="[LEVEL]", help="The level. Default: leave it.")
@on_running_lab
def log_level(where: Where, level: str | None) -> int:
    with control_of(where) as control:
        print(control.ask("log-level", level=level))
    return 0
