"""The ``labnet`` command: the clients and what an operator needs beside twistd."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Sequence

from labnet.capture.cli import add_commands as add_capture_commands
from labnet.capture.cli import captured, tapped_dnspython
from labnet.console.cli import add_commands as add_console_commands
from labnet.metrics import version
from labnet.wire.quoting import quoted


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit status: 2 is also argparse's own for a wrong command line, 130 is Ctrl-C's."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    return status


def _resolve(arguments: argparse.Namespace) -> int:
    from labnet.clients.course import CourseClient, converse, run

    if arguments.dns or arguments.tcp or arguments.type or arguments.trace:
        return _resolve_by_dns(arguments)
    with captured(arguments.capture) as tap:
        client = CourseClient(arguments.server, arguments.port, arguments.timeout, arguments.tries, **tap)
        if arguments.name:
            return run(client, arguments.name)
        _edit_lines()
        return converse(client)


def _resolve_by_dns(arguments: argparse.Namespace) -> int:
    from labnet.clients.course import converse, run
    from labnet.clients.dns import DNSClient
    from labnet.clients.trace import trace

    server, port, rrtype = arguments.server, arguments.port, arguments.type or "A"
    if arguments.trace and not arguments.name:
        print("labnet: --trace needs the NAME to walk to", file=sys.stderr)
        return 2
    if arguments.trace and arguments.capture:
        print("labnet: --capture does not follow --trace: use labnet capture beside it", file=sys.stderr)
        return 2
    if arguments.trace:
        return trace(server, port, arguments.name, rrtype, arguments.timeout, arguments.tries)
    with captured(arguments.capture) as tap, tapped_dnspython(**tap):
        client = DNSClient(server, port, rrtype, arguments.tcp, arguments.timeout, arguments.tries)
        if arguments.name:
            return run(client, arguments.name)
        _edit_lines()
        return converse(client)


def _command(arguments: argparse.Namespace) -> int:
    from labnet.clients.command import CommandConnection, converse, run
    from labnet.clients.errors import NoAnswer

    try:
        with (
            captured(arguments.capture) as tap,
            CommandConnection(
                arguments.server, arguments.port, arguments.timeout, arguments.tries, **tap
            ) as connection,
        ):
            if arguments.command:
                return run(connection, arguments.command)
            _edit_lines()
            return converse(connection)
    except NoAnswer as error:
        print(f"labnet: {error}", file=sys.stderr)
        return 2


def _check(arguments: argparse.Namespace) -> int:
    from labnet import config
    from labnet.daemon.running.reload import load_lab

    path = config.find(arguments.file)
    try:
        checked, loaded = load_lab(lambda: config.load(path), time.time())
    except config.ConfigError as error:
        for problem in error.problems:
            print(f"labnet: {quoted(problem)}", file=sys.stderr)
        return 1
    for files in loaded.values():
        for warning in files.warnings:
            print(f"labnet: warning: {quoted(warning)}", file=sys.stderr)
    records = sum(files.records for files in loaded.values())
    servers = len(checked.resolver) + (checked.command is not None)
    print(f"{path or 'the built-in lab'}: OK: {servers} server(s), {records} record(s)")
    return 0


def _edit_lines() -> None:
    """Give ``input()`` its line editing and history, where this Python has it, and let it take any bytes."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labnet", description="The networking lab: clients and checks.")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    resolve = commands.add_parser("resolve", help="ask a resolver for names", description=_RESOLVE)
    _add_server(resolve, timeout=3.0)
    resolve.add_argument("name", nargs="*", metavar="NAME", help="names to ask for; without one, a dialogue")
    resolve.add_argument("--dns", action="store_true", help="ask by DNS, not by the course protocol")
    resolve.add_argument("--tcp", action="store_true", help="ask by DNS over TCP")
    resolve.add_argument("--type", type=_rrtype, help="ask by DNS for records of this type: A, AAAA, MX, …")
    resolve.add_argument("--trace", action="store_true", help="walk down from SERVER as from a root, telling each step")
    resolve.set_defaults(run=_resolve)

    command = commands.add_parser("command", help="talk to a command server", description=_COMMAND)
    _add_server(command, timeout=5.0)
    command.add_argument("command", nargs="*", metavar="TEXT", help="TIME, EXIT, …; without one, a dialogue")
    command.set_defaults(run=_command)

    check = commands.add_parser("check", help="check a configuration and its records", description=_CHECK)
    check.add_argument("file", nargs="?", metavar="FILE", help="default: the one that twistd labnet would run")
    check.set_defaults(run=_check)
    add_capture_commands(commands)
    add_console_commands(commands)
    return parser


_RESOLVE = "Print the address of each name. Exit status: 0 all found, 1 one is not known, 2 no answer."
_COMMAND = "Print the reply to each command. Exit status: 0, or 2 where the server is not there or does not answer."
_CHECK = "Print everything that is wrong in a configuration file and its records. Exit status: 0 nothing, 1 something."


def _add_server(parser: argparse.ArgumentParser, timeout: float) -> None:
    parser.add_argument("server", metavar="SERVER", help="the server's address")
    parser.add_argument("port", metavar="PORT", type=_port, help="the server's port")
    parser.add_argument("--timeout", type=_seconds, default=timeout, help="seconds a try [%(default)s]")
    parser.add_argument("--capture", metavar="FILE", help="write what is sent and received to this pcapng file")
    parser.add_argument("--tries", type=_count, default=3, help="tries [%(default)s]")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def _rrtype(text: str) -> str:
    import dns.exception
    import dns.rdatatype

    try:
        return dns.rdatatype.to_text(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no record type: A, AAAA, MX, TXT, … or TYPE and a number"
        ) from None


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 3600:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no time: seconds above 0, 3600 at most")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 0 < int(text) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: 1 to 100")
    return int(text)


class _ShowVersion(argparse.Action):
    """Looks the version up when it is asked for, and not for every other command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"labnet {version()}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
