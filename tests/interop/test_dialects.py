"""Programs written from the words of each dialect alone, and labnet: each as the client and server of the other."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from labnet.cli import main
from labnet.dialects.library import find
from tests.dialects.tables import Case, Table, tables
from tests.interop.daemon import DEADLINE, Daemon

REFERENCE = Path(__file__).with_name("reference")
TIME = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \d{4}"

NAMES = {
    "json": "www.a.test,1.2.3.4,60\n",
    "line": "www.a.test,1.2.3.4,60\n",
    "address": "www.a.test,1.2.3.4\n",
    "zone": "www.a.test,1.2.3.4,A\n",
    "key-value": "www.a.test,1.2.3.4\n",
    "id-text": "www.a.test A 1.2.3.4\n",
    "hostname-table": "www.a.test 1.2.3.4 A\n",
    "hostname-table-recursive": "www.a.test 1.2.3.4 A\n",
    "flagged": "www.a.test 1.2.3.4\n",
    "colon": "www.a.test:1.2.3.4\n",
}
"""The records of the reference servers; labnet's own have www.own.test instead."""

COMMANDS = ("bare", "jam", "prefixed", "echo")


def program(dialect: str, role: str) -> str:
    name = dialect.removesuffix("-recursive").replace("-", "_")
    return str(REFERENCE / f"{name}_{role}.py")


def told(dialect: str, *arguments: object) -> list[str]:
    """What the reference client prints, a line each."""
    command = [sys.executable, program(dialect, "client"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def own(*arguments: object) -> list[str]:
    """What labnet's client prints, a line each."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        main([*map(str, arguments)])
    return out.getvalue().splitlines()


class World(NamedTuple):
    """The daemon, and the ports of the reference servers by dialect."""

    daemon: Daemon
    ports: dict[str, int]

    def address(self, server: str) -> tuple[str, int]:
        return self.daemon.address(server)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A reference server of each dialect; a lab with a server of each, and with one whose parent is the reference."""
    folder = tmp_path_factory.mktemp("dialects")
    with contextlib.ExitStack() as stack:
        ports = {}
        for dialect, records in NAMES.items():
            (folder / f"{dialect}.reference").write_text(records)
            ports[dialect] = _started(stack, program(dialect, "server"), str(folder / f"{dialect}.reference"))
        for dialect in COMMANDS:
            ports[dialect] = _started(stack, program(dialect, "server"))
        (folder / "lab.toml").write_text(_lab(folder, ports))
        daemon = stack.enter_context(Daemon("labnet", "--config=lab.toml", cwd=folder))
        daemon.address("resolver via-colon")
        yield World(daemon, ports)


def _started(stack: contextlib.ExitStack, *command: str) -> int:
    process = subprocess.Popen([sys.executable, command[0], "0", *command[1:]], stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    stack.callback(process.stdout.close)
    return int(process.stdout.readline())


def _lab(folder: Path, ports: dict[str, int]) -> str:
    tables = ['[lab]\nstate = "var"\n[console]\ncontrol = "c.sock"\n']
    for dialect, records in NAMES.items():
        (folder / f"{dialect}.own").write_text(_referring(dialect, records.replace("www.a", "www.own"), ports[dialect]))
        common = f'listen = "udp:0:interface=127.0.0.1"\ndialect = "{dialect}"\n'
        tables.append(f'[resolver.own-{dialect}]\n{common}records = "{dialect}.own"\n')
        tables.append(f'[resolver.via-{dialect}]\n{common}parents = "text:127.0.0.1:{ports[dialect]}"\n')
    return "".join(tables)


def _referring(dialect: str, records: str, port: int) -> str:
    """``records``, and the line that leads all other names of ``test`` to the reference server."""
    lines = {
        "zone": f".a.test,127.0.0.1:{port},NS\n",
        "hostname-table": "localhost - NS\n",
        "hostname-table-recursive": f"127.0.0.1:{port} - NS\n",
        "flagged": f"test 127.0.0.1:{port}\n",
    }
    return records + lines.get(dialect, "")


@pytest.mark.parametrize("dialect", NAMES)
def test_labnets_server_answers_the_reference_client(world: World, dialect: str) -> None:
    """Known and unknown names, and referrals, which the reference client follows."""
    place = world.address(f"resolver own-{dialect}")
    unknown = {"json": "not found", "line": "not found", "address": "not found", "zone": "non-existent domain"}
    if dialect.startswith("hostname-table"):
        assert told(dialect, *place, world.ports[dialect], "WWW.own.test", "www.a.test", "no.test") == [
            "www.own.test 1.2.3.4 A",
            "www.a.test 1.2.3.4 A",
            "no.test - Error:HOST NOT FOUND",
        ]
    elif dialect == "flagged":
        for wish, status in (("it", "aa"), ("rd", "ra")):
            assert told(dialect, *place, wish, "www.own.test", "www.a.test", "no.test", "no.other") == [
                "1.2.3.4 aa",
                f"1.2.3.4 {status}",
                "0.0.0.0 nx",
                "0.0.0.0 nx",
            ]
    elif dialect == "colon":
        assert told(dialect, *place, "www.own.test", "www.own.test", "no.test") == [
            "Root DNS:www.own.test:1.2.3.4",
            "Local DNS:www.own.test:1.2.3.4",
            "Host Not Found",
        ]
    elif dialect == "key-value":
        assert told(dialect, *place, "www.own.test", "new.test", "new.test=1.2.3.9", "new.test") == [
            "1.2.3.4",
            "STATUS=NOT_FOUND".partition("=")[2],
            "OK",
            "1.2.3.9",
        ]
    elif dialect == "id-text":
        assert told(dialect, *place, "www.own.test", "no.test") == ["1.2.3.4", "timed out"]
    else:
        assert told(dialect, *place, "www.own.test", "no.test") == ["1.2.3.4", unknown[dialect]]


@pytest.mark.parametrize("dialect", NAMES)
def test_labnet_asks_the_reference_server_for_the_reference_client(world: World, dialect: str) -> None:
    """Twice: from the server, and from what was learned."""
    place = world.address(f"resolver via-{dialect}")
    for source in ("Root DNS", "Local DNS"):
        if dialect.startswith("hostname-table"):
            expected, arguments = "www.a.test 1.2.3.4 A", (*place, 1)
        elif dialect == "flagged":
            expected, arguments = "1.2.3.4 ra", (*place, "rd")
        else:
            expected, arguments = ("1.2.3.4" if dialect != "colon" else f"{source}:www.a.test:1.2.3.4"), place
        assert told(dialect, *arguments, "www.a.test") == [expected]


@pytest.mark.parametrize("dialect", NAMES)
def test_labnets_client_asks_the_reference_server(world: World, dialect: str) -> None:
    """And labnet's own, from which it is referred to the reference server where the dialect has that."""
    reference = "127.0.0.1", world.ports[dialect]
    options = ("--dialect", dialect, "--tries", 1, "--timeout", 2, "--next-port", world.ports[dialect])
    assert own("resolve", *options, *reference, "www.a.test", "no.test") == ["1.2.3.4"]
    place = world.address(f"resolver own-{dialect}")
    refers = dialect in ("zone", "hostname-table", "hostname-table-recursive", "flagged")
    assert own("resolve", *options, *place, "www.own.test", "www.a.test") == ["1.2.3.4"] * (2 if refers else 1)


@pytest.mark.parametrize("dialect", COMMANDS)
def test_commands_of_both(tmp_path: Path, world: World, dialect: str) -> None:
    """The reference client and labnet's server, then the other way round."""
    asked, pattern = {
        "bare": (("TIME", "IP"), rf"{TIME}\n127\.0\.0\.1"),
        "jam": (("TIME", "TIME"), r"JAM \d\d:\d\d:\d\d\nJAM \d\d:\d\d:\d\d"),
        "prefixed": (("TIME", "NAME", "RAND", "DATE"), rf"{TIME}\n(labnet|reference)\n\d+\nWrong command"),
        "echo": (("ECHO a b", "TIME", "X"), rf"a b\n{TIME}\nUnknown command"),
    }[dialect]
    with Daemon("labnet-command", "--listen=tcp:0:interface=127.0.0.1", f"--dialect={dialect}", cwd=tmp_path) as daemon:
        said = told(dialect, *daemon.address("command server"), *asked)
    end = ["Bye"] if dialect == "prefixed" else []
    assert re.fullmatch(pattern, "\n".join(said[: len(said) - len(end)])), said
    assert said[len(said) - len(end) :] == end
    said = own("command", "--dialect", dialect, "127.0.0.1", world.ports[dialect], *asked)
    assert re.fullmatch(pattern, "\n".join(said)), said


@pytest.mark.parametrize(
    "table", [table for table in tables() if find(table.dialect).kind == "names"], ids=lambda table: table.dialect
)
def test_the_conformance_table_over_real_sockets(tmp_path: Path, table: Table) -> None:
    """To the byte, but for the second in which records were loaded."""
    (tmp_path / "records").write_bytes(table.records)
    (tmp_path / "lab.toml").write_text(
        f'[console]\ncontrol = "c.sock"\n[resolver.one]\nlisten = "udp:0"\nrecords = "records"\n'
        f'dialect = "{table.dialect}"\n'
    )
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        place = daemon.address("resolver one")
        for case in table.server:
            said = _played(place, case, find(table.dialect).is_stream)
            assert re.sub(rb"\d{10}\.\d+\]", b"1605280488.0]", said or b"") == (case.out or b""), case.what


def _played(place: tuple[str, int], case: Case, is_stream: bool) -> bytes:
    kind = socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM
    said = b""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(place)
        for segment in case.segments:
            with contextlib.suppress(ConnectionError):
                sock.sendall(segment)
            # A receive that brings something comes before the next segment, so that each is a receive there too.
            sock.settimeout(1.0 if is_stream or case.out is None else DEADLINE)
            with contextlib.suppress(TimeoutError, ConnectionError):
                said += sock.recv(65535)
    return said
