"""The commands ``resolve`` and ``command``: the clients, as dialogues or for scripts."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from labnet.capture.model import CaptureError
from labnet.capture.record.client import captured
from labnet.cli.frame import Decorated, LabCommand
from labnet.cli.missing import needs
from labnet.cli.readers import PORT, SECONDS, TRIES, Reader
from labnet.clients.running_lab import DNS_PORT, place_of
from labnet.clients.schemes import Scheme
from labnet.clients.server import Tap
from labnet.clients.words import Words, read_command, read_question, rrtype_of

if TYPE_CHECKING:
    from labnet.clients.encrypted import Encryption
    from labnet.dialects.model import Dialect

_TYPES: Final = ("A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "PTR", "SRV", "CAA", "DS", "DNSKEY", "ANY")
"""Record types that a shell completes."""


def _read_type(text: str) -> str:
    found = rrtype_of(text)
    if found is None:
        raise ValueError(f"{text!r} is no record type: A, AAAA, MX, TXT, … or TYPE and a number")
    return found


def _read_reverse(text: str) -> str:
    import dns.exception
    import dns.reversename

    try:
        return str(dns.reversename.from_address(text))
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{text!r} is no IP address") from None


RRTYPE: Final = Reader("type", _read_type, lambda: _TYPES)
REVERSE: Final = Reader("address", _read_reverse)


def _read_dialect(text: str) -> Dialect:
    from labnet.dialects.library import find
    from labnet.dialects.reader import DialectError

    try:
        return find(text)
    except DialectError as error:
        raise ValueError("; ".join(error.problems)) from None


def _shipped_dialects() -> tuple[str, ...]:
    from labnet.dialects.library import shipped

    return tuple(shipped())


DIALECT: Final = Reader("dialect", _read_dialect, _shipped_dialects)


def _asks(timeout: float) -> Callable[[Decorated], Decorated]:
    """The options of every client, with this many seconds for a try."""

    def add(decorated: Decorated) -> Decorated:
        for one in (
            click.option("--tries", type=TRIES, default=3, show_default=True, metavar="N", help="How often to try."),
            click.option("-v", "--verbose", is_flag=True, help="Show what is sent and received, with its time."),
            click.option("--timeout", type=SECONDS, default=timeout, show_default=True, help="Seconds a try."),
            click.option(
                "--capture",
                type=click.Path(readable=False),
                metavar="FILE",
                help="Write what is sent and received to this pcapng file.",
            ),
            click.option("-p", "--port", type=PORT, metavar="PORT", help="The server's port."),
        ):
            decorated = one(decorated)
        return decorated

    return add


@dataclass(frozen=True)
class ToResolve:
    """What is to be resolved, where and how; validated from the anchors in a file, the root's where that is empty."""

    server: str
    port: int
    timeout: float
    tries: int
    capture: str | None
    names: tuple[str, ...]
    types: tuple[str, ...]
    tcp: bool
    trace: bool
    verbose: bool
    dialect: Dialect | None = None
    next_port: int | None = None
    encryption: Encryption | None = None
    anchors: str | None = None


@click.command(
    cls=LabCommand,
    help="Print the address of each NAME, or its records of each TYPE. SERVER and PORT are those of the lab that runs "
    "here, unless they are named: SERVER PORT, or as with dig @SERVER -p PORT, in any order. Two first words of which "
    "the second is a number are SERVER and PORT. Exit status: 0 all found, 1 one is not known, 2 no answer.",
    examples=[
        ("labnet resolve www.google.co.il", "ask the lab that runs here"),
        ("labnet resolve", "the same as a dialogue; Ctrl-D ends it"),
        ("labnet resolve 127.0.0.1 1199 www.google.co.il", "ask another server, by the course protocol"),
        ("labnet resolve --dns 127.0.0.1 1199 www.google.co.il", "the same by DNS"),
        ("labnet resolve @127.0.0.1 -p 1199 example.org MX +tcp", "words as dig takes them, by DNS"),
        (
            "labnet resolve --tls --tls-ca certs/ca.pem @127.0.0.1 www.lab.test",
            "by DNS over TLS, of a lab with labnet cert",
        ),
        ("labnet resolve @127.0.0.1 -x 192.0.2.1", "the name of an address"),
        ("labnet resolve --trace --dnssec 198.41.0.4 53 www.isc.org", "from the Internet's root, each link validated"),
        ("labnet resolve --dialect zone 127.0.0.1 1200 www.biu.ac.il", "as another course's client asks"),
    ],
)
@_asks(timeout=3.0)
@click.argument(
    "words",
    nargs=-1,
    metavar="[SERVER PORT] [NAME…] [TYPE…]",
    help="Names to ask for; without one, a dialogue. TYPE is A, AAAA, MX, … in any place; +short, +tcp, +tls, "
    "+https, +trace, +time=N and +tries=N are taken too. A type or a + means --dns.",
)
@click.option("--dns", is_flag=True, help="Ask by DNS, not by the course protocol.")
@click.option("--tcp", is_flag=True, help="Ask by DNS over TCP.")
@click.option("--tls", is_flag=True, help="Ask by DNS over TLS, port 853.")
@click.option("--https", is_flag=True, help="Ask by DNS over HTTPS, port 443.")
@click.option("--tls-name", metavar="NAME", help="Whose certificate the server has to have [SERVER].")
@click.option("--tls-ca", metavar="FILE", help="Who vouches for it, PEM [the system's authorities].")
@click.option("--insecure", is_flag=True, help="Ask whoever it is.")
@click.option("-t", "--type", "rrtype", type=RRTYPE, metavar="TYPE", help="Ask by DNS for records of this type.")
@click.option("-x", "--reverse", type=REVERSE, multiple=True, metavar="ADDR", help="Ask by DNS for its name (PTR).")
@click.option("-d", "--dialect", type=DIALECT, metavar="NAME", help="Ask as this course does (labnet dialect list).")
@click.option("--next-port", type=PORT, metavar="PORT", help="The port of servers that are referred to without one.")
@click.option("--trace", is_flag=True, help="Walk down from SERVER as from a root, telling each step.")
@click.option("--dnssec", is_flag=True, help="With --trace, validate what is found, telling each link of the chain.")
@click.option("--anchors", metavar="FILE", help="With --dnssec, begin at these; default: the root's keys.")
def resolve(words: tuple[str, ...], port: int | None, **given: Any) -> int:
    from labnet.clients.errors import NoAnswer

    reverse: tuple[str, ...] = given["reverse"]
    try:
        said = read_question(words, port, bool(reverse))
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    rrtype: str | None = given["rrtype"]
    tcp, trace = given["tcp"] or said.tcp, given["trace"] or said.trace
    types = (*((rrtype,) if rrtype else ()), *said.types)
    try:
        validates = given["dnssec"] or given["anchors"]
        scheme: Scheme = "https" if given["https"] else "tls" if given["tls"] else said.scheme
        is_dns = bool(given["dns"] or said.dns or tcp or types or trace or reverse or scheme or validates)
        server, number = place_of("resolver", said.server, said.port, scheme)
        is_dns = is_dns or (said.port is None and number == DNS_PORT)
        types = types or (("PTR",) if reverse else ("A",))
        timeout, tries = said.timeout or given["timeout"], said.tries or given["tries"]
        names = (*reverse, *said.rest)
        dialect = _dialect_of(given["dialect"], "names")
        if scheme and trace:
            return _failed("--trace walks by UDP: the servers of zones are not asked by TLS")
        if dialect is not None and is_dns:
            return _failed("--dialect is for the course protocol, and this asks by DNS")
        asked = ToResolve(
            server,
            number,
            timeout,
            tries,
            given["capture"],
            names,
            types,
            tcp,
            trace,
            given["verbose"],
            dialect,
            given["next_port"],
            _encryption_of(scheme, said, given),
            given["anchors"] or ("" if given["dnssec"] else None),
        )
        return _resolve_by_dns(asked) if is_dns else _resolve_by_course(asked)
    except (CaptureError, NoAnswer) as error:
        return _failed(error)


def _encryption_of(scheme: Scheme, said: Words, given: dict[str, Any]) -> Encryption | None:
    if not scheme:
        return None
    with needs("cryptography" if scheme == "tls" else "h2", "tls"):
        import_module("cryptography" if scheme == "tls" else "h2")
    from labnet.clients.encrypted import Encryption

    tell = (lambda line: print(line, file=sys.stderr, flush=True)) if given["verbose"] else None
    return Encryption(scheme, given["tls_name"] or said.tls_name, given["tls_ca"] or said.ca, given["insecure"], tell)


def _resolve_by_course(asked: ToResolve) -> int:
    from labnet.clients.course import CourseClient, converse, run
    from labnet.clients.lines import name_reader

    if asked.dialect is not None:
        return _resolve_in_dialect(asked, asked.dialect)
    with _tapped(asked.capture, asked.verbose) as tap:
        client = CourseClient(asked.server, asked.port, asked.timeout, asked.tries, tap)
        if asked.names:
            return run(client, asked.names)
        return converse(client, name_reader())


def _resolve_in_dialect(asked: ToResolve, dialect: Dialect) -> int:
    from labnet.clients.course import converse, run
    from labnet.clients.dialect import DialectClient, until
    from labnet.clients.lines import name_reader
    from labnet.dialects.codec import Codec

    with _tapped(asked.capture, asked.verbose) as tap:
        client = DialectClient(
            Codec(dialect), asked.server, asked.port, asked.timeout, asked.tries, tap, asked.next_port
        )
        try:
            if asked.names:
                return run(client, asked.names)
            return converse(client, until((*dialect.client_end, *dialect.question.end), name_reader()))
        finally:
            client.close()


def _resolve_by_dns(asked: ToResolve) -> int:
    from labnet.clients.course import converse, run
    from labnet.clients.dns import DNSClient
    from labnet.clients.lines import name_reader
    from labnet.clients.trace import Sought, read_anchors, trace

    if asked.trace and not asked.names:
        return _failed("--trace needs the NAME to walk to")
    if asked.anchors is not None and not asked.trace:
        return _failed("--dnssec and --anchors are for --trace")
    if asked.trace and asked.capture:
        return _failed("--capture does not follow --trace: use labnet capture beside it")
    if asked.trace and len(asked.types) > 1:
        return _failed(f"--trace walks for one type of records, not for {' and '.join(asked.types)}")
    if asked.trace and asked.verbose:
        return _failed("--verbose does not follow --trace, which tells each step by itself")
    if asked.trace:
        anchors = None if asked.anchors is None else read_anchors(asked.anchors)
        found = Sought(asked.names, asked.types[0], anchors)
        return trace(asked.server, asked.port, found, asked.timeout, asked.tries)
    with _tapped(asked.capture, asked.verbose, dns=True) as tap:
        clients = [
            DNSClient(asked.server, asked.port, rrtype, asked.tcp, asked.timeout, asked.tries, tap, asked.encryption)
            for rrtype in asked.types
        ]
        if asked.names:
            return max(run(client, asked.names) for client in clients)
        return converse(clients[0], name_reader())


@click.command(
    cls=LabCommand,
    help="Print the reply to each command. SERVER and PORT are those of the lab that runs here, unless they are named: "
    "SERVER PORT, or @SERVER -p PORT. Exit status: 0, or 2 where the server is not there or does not answer.",
    examples=[
        ("labnet command TIME", "ask the lab that runs here for the time"),
        ("labnet command", "a dialogue; EXIT or Ctrl-D ends it"),
        ("labnet command 127.0.0.1 8080 TIME", "ask another server"),
        ("labnet command --dialect prefixed 127.0.0.1 8080 TIME RAND", "as another course's client asks"),
    ],
)
@_asks(timeout=5.0)
@click.option("-d", "--dialect", type=DIALECT, metavar="NAME", help="Ask as this course does (labnet dialect list).")
@click.argument("words", nargs=-1, metavar="[SERVER PORT] [TEXT…]", help="TIME, EXIT, …; without one, a dialogue.")
def command(
    words: tuple[str, ...],
    port: int | None,
    timeout: float,
    tries: int,
    capture: str | None,
    verbose: bool,
    dialect: Dialect | None,
) -> int:
    from labnet.clients.command import CommandConnection, converse, run
    from labnet.clients.errors import NoAnswer
    from labnet.clients.lines import command_dialogue

    try:
        said = read_command(words, port)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    try:
        server, number = place_of("command", said.server, said.port)
        found = _dialect_of(dialect, "commands")
        with (
            _tapped(capture, verbose) as tap,
            CommandConnection(server, number, timeout, tries, tap, dialect=found) as connection,
        ):
            if said.rest:
                return run(connection, said.rest)
            return converse(connection) if connection.speaks_first else command_dialogue()(connection)
    except (CaptureError, NoAnswer) as error:
        return _failed(error)


def _dialect_of(dialect: Dialect | None, kind: str) -> Dialect | None:
    if dialect is not None and dialect.kind != kind:
        raise click.UsageError(
            f"{dialect.name} is a dialect of {dialect.kind}, not of {kind}", click.get_current_context()
        )
    return dialect


def _failed(why: object) -> int:
    print(f"labnet: {why}", file=sys.stderr)
    return 2


@contextlib.contextmanager
def _tapped(capture: str | None, verbose: bool, dns: bool = False) -> Iterator[Tap]:
    """The ``tap`` of a client: what passes is written to the file ``capture``, and shown if ``verbose``."""
    with captured(capture) as tap:
        if not verbose:
            yield tap
            return
        from labnet.clients.verbose import shown

        yield shown(tap, lambda line: print(line, file=sys.stderr, flush=True), time.time, dns)
