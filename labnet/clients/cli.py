"""The commands ``resolve`` and ``command``: the clients, as dialogues or for scripts."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from labnet.capture.model import CaptureError
from labnet.capture.record.client import captured, tapped_dnspython
from labnet.cli.frame import Decorated, LabCommand
from labnet.cli.readers import PORT, SECONDS, TRIES, Reader

_TYPES: Final = ("A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "PTR", "SRV", "CAA", "DS", "DNSKEY", "ANY")
"""Record types that a shell completes."""


def _read_type(text: str) -> str:
    import dns.exception
    import dns.rdatatype

    try:
        return dns.rdatatype.to_text(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{text!r} is no record type: A, AAAA, MX, TXT, … or TYPE and a number") from None


RRTYPE: Final = Reader("type", _read_type, lambda: _TYPES)


def _asks(timeout: float) -> Callable[[Decorated], Decorated]:
    """The arguments and options of every client, with this many seconds for a try."""

    def add(decorated: Decorated) -> Decorated:
        for one in (
            click.option("--tries", type=TRIES, default=3, show_default=True, metavar="N", help="How often to try."),
            click.option("--capture", metavar="FILE", help="Write what is sent and received to this pcapng file."),
            click.option("--timeout", type=SECONDS, default=timeout, show_default=True, help="Seconds a try."),
            click.argument("port", metavar="PORT", type=PORT, help="The server's port."),
            click.argument("server", metavar="SERVER", help="The server's address."),
        ):
            decorated = one(decorated)
        return decorated

    return add


@dataclass(frozen=True)
class Asked:
    """What is to be resolved, where and how."""

    server: str
    port: int
    timeout: float
    tries: int
    capture: str | None
    name: tuple[str, ...]
    dns: bool
    tcp: bool
    type: str | None
    trace: bool


@click.command(
    cls=LabCommand,
    help="Print the address of each name. Exit status: 0 all found, 1 one is not known, 2 no answer.",
    examples=[
        ("labnet resolve 127.0.0.1 1199 www.google.co.il", "the address, by the course protocol"),
        ("labnet resolve 127.0.0.1 1199", "a dialogue; Ctrl-D ends it"),
        ("labnet resolve 127.0.0.1 1199 --dns www.google.co.il", "the same by DNS"),
        ("labnet resolve 127.0.0.1 1199 --type MX example.org", "records of another type"),
    ],
)
@_asks(timeout=3.0)
@click.argument("name", nargs=-1, metavar="[NAME…]", help="Names to ask for; without one, a dialogue.")
@click.option("--dns", is_flag=True, help="Ask by DNS, not by the course protocol.")
@click.option("--tcp", is_flag=True, help="Ask by DNS over TCP.")
@click.option("--type", type=RRTYPE, metavar="TYPE", help="Ask by DNS for records of this type: A, AAAA, MX, …")
@click.option("--trace", is_flag=True, help="Walk down from SERVER as from a root, telling each step.")
def resolve(**given: Any) -> int:
    asked = Asked(**given)
    try:
        if asked.dns or asked.tcp or asked.type or asked.trace:
            return _resolve_by_dns(asked)
        return _resolve_by_course(asked)
    except CaptureError as error:
        return _failed(error)


def _resolve_by_course(asked: Asked) -> int:
    from labnet.clients.course import CourseClient, converse, run

    with captured(asked.capture) as tap:
        client = CourseClient(asked.server, asked.port, asked.timeout, asked.tries, **tap)
        if asked.name:
            return run(client, asked.name)
        _edit_lines()
        return converse(client)


def _resolve_by_dns(asked: Asked) -> int:
    from labnet.clients.course import converse, run
    from labnet.clients.dns import DNSClient
    from labnet.clients.trace import trace

    rrtype = asked.type or "A"
    if asked.trace and not asked.name:
        return _failed("--trace needs the NAME to walk to")
    if asked.trace and asked.capture:
        return _failed("--capture does not follow --trace: use labnet capture beside it")
    if asked.trace:
        return trace(asked.server, asked.port, asked.name, rrtype, asked.timeout, asked.tries)
    with captured(asked.capture) as tap, tapped_dnspython(**tap):
        client = DNSClient(asked.server, asked.port, rrtype, asked.tcp, asked.timeout, asked.tries)
        if asked.name:
            return run(client, asked.name)
        _edit_lines()
        return converse(client)


@click.command(
    cls=LabCommand,
    help="Print the reply to each command. Exit status: 0, or 2 where the server is not there or does not answer.",
    examples=[
        ("labnet command 127.0.0.1 8080 TIME", "the server's time"),
        ("labnet command 127.0.0.1 8080", "a dialogue; EXIT or Ctrl-D ends it"),
    ],
)
@_asks(timeout=5.0)
@click.argument("text", nargs=-1, metavar="[TEXT…]", help="TIME, EXIT, …; without one, a dialogue.")
def command(server: str, port: int, timeout: float, tries: int, capture: str | None, text: tuple[str, ...]) -> int:
    from labnet.clients.command import CommandConnection, converse, run
    from labnet.clients.errors import NoAnswer

    try:
        with captured(capture) as tap, CommandConnection(server, port, timeout, tries, **tap) as connection:
            if text:
                return run(connection, text)
            _edit_lines()
            return converse(connection)
    except (CaptureError, NoAnswer) as error:
        return _failed(error)


def _failed(why: object) -> int:
    print(f"labnet: {why}", file=sys.stderr)
    return 2


def _edit_lines() -> None:
    """Give ``input()`` its line editing and history, where this Python has it, and let it take any bytes."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401
