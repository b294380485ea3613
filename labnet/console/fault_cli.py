"""The commands ``labnet fault``: orders for what is to go wrong in a running lab."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from labnet.cli.frame import LabCommand, LabGroup
from labnet.console.running import Where, control_of, on_running_lab
from labnet.wire.quoting import quoted

SIDES = ("client", "parent", "session")


@click.group(cls=LabGroup)
def fault() -> None:
    """Have something go wrong in a running lab, on purpose, and end it."""


@fault.command(
    "order",
    cls=LabCommand,
    short_help="have something go wrong",
    examples=[
        ("labnet fault order drop --side parent --every 2", "every second reply of the parents is lost"),
        ("labnet fault order delay --amount 800 --name .example.org", "questions below example.org are answered late"),
        ("labnet fault order spoof --where main --nth 1", "one forged reply before the real one"),
        ("labnet fault order split", "the command server's replies come in segments of one byte"),
    ],
)
@click.argument("kind", metavar="KIND", help="What goes wrong; labnet fault kinds lists them.")
@click.option(
    "--where", "place", metavar="RESOLVER", help="The resolver, or command for the command server [the first]."
)
@click.option("--side", type=click.Choice(SIDES), help="Of the resolver; session is TCP [client].")
@click.option("--direction", type=click.Choice(["in", "out"]), help="What comes to the lab, or leaves it.")
@click.option("--client", metavar="NETWORK", help="For clients in this network alone.")
@click.option("--name", metavar="NAME", help="About this name alone; .example.org is all below it.")
@click.option("--nth", type=int, metavar="N", help="The N-th that fits, and no other.")
@click.option("--every", type=int, metavar="N", help="Every N-th that fits.")
@click.option("--share", type=float, metavar="P", help="Of all that fit the share P, 0 to 1, drawn by --seed.")
@click.option("--seed", type=int, metavar="N", help="The seed of what is drawn [0].")
@click.option("--amount", type=int, metavar="MS", help="Milliseconds, for kinds that take some.")
@click.option("--seconds", type=float, metavar="N", help="When it ends by itself [600].")
@on_running_lab
def order(where: Where, **given: Any) -> int:
    """Have KIND happen in a running lab. It ends by itself, with labnet fault end, and at a restart.

    Exit status: 0, 2 where the order is wrong or no lab answers.
    """
    wanted = {key: value for key, value in (given | {"where": given.pop("place")}).items() if value is not None}
    with control_of(where) as control:
        made = control.ask("view", what="order-fault", order={**wanted, "by": "labnet fault"})
    print(quoted(f"{made['id']}: {made.get('sentence', '')}"))
    return 0


@fault.command("end", cls=LabCommand, short_help="end an order, or all", examples=[("labnet fault end", "all of them")])
@click.argument("number", metavar="[ID]", required=False, default="", help="The order. Default: all.")
@on_running_lab
def end(where: Where, number: str) -> int:
    """End the order ID, or every order. Exit status: 0, 2 where there is no such order or no lab answers."""
    with control_of(where) as control:
        ended = control.ask("view", what="end-fault", id=number)["ended"]
    print(f"ended: {', '.join(ended) or 'there was none'}")
    return 0


@fault.command("list", cls=LabCommand, short_help="what is ordered", examples=[("labnet fault list", "all orders")])
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@on_running_lab
def list_(where: Where, as_json: bool) -> int:
    """Print what is ordered in a running lab, and what it has hit. Exit status: 0, 2 where no lab answers."""
    with control_of(where) as control:
        found = control.ask("view", what="faults")
    if as_json:
        print(json.dumps(found["faults"], indent=2))
    else:
        for line in _listed(found["faults"]):
            print(quoted(line))
    return 0


@fault.command("kinds", cls=LabCommand, short_help="what can go wrong", examples=[("labnet fault kinds", "all kinds")])
def kinds() -> int:
    """Print every kind of fault, and where it can be ordered. Exit status: 0."""
    from labnet.faults.model import KINDS

    for name, kind in KINDS.items():
        print(f"{name:<14} {', '.join(sorted(kind.sides)):<15} {kind.sentence}")
    return 0


def _listed(faults: list[dict[str, Any]]) -> Iterator[str]:
    if not faults:
        yield "no fault is ordered"
    for one in faults:
        left = max(0, round(one["until"] - time.time()))
        yield f"{one['id']}: {one['sentence']}; {one['count']} hit, {left} s left"
