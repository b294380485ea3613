"""What real clients send to the command server, and what they get for it."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.plain import Address, connect, greeted, is_time, line, rest, silent
from tests.interop.terminal import Terminal

INVALID = b"Invalid command!\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One command server for all of this file; it must end as it should after all of it."""
    folder = tmp_path_factory.mktemp("command")
    with Daemon("labnet-command", "--listen=tcp:0:interface=127.0.0.1", "--clients=0", cwd=folder) as daemon:
        yield daemon


@pytest.fixture
def server(daemon: Daemon) -> Address:
    return daemon.address("command server")


@pytest.fixture
def sock(server: Address) -> Iterator[socket.socket]:
    """A client that has read its greeting."""
    with greeted(server) as sock:
        yield sock


def assert_time(reply: bytes, earliest: float) -> None:
    assert reply.endswith(b"\n"), reply
    assert is_time(reply[:-1], earliest), reply


def test_the_greeting_tells_the_client_its_address_and_port(server: Address) -> None:
    """The handout's greeting comes in one receive, unasked."""
    with connect(server) as sock:
        port = sock.getsockname()[1]
        assert sock.recv(1024) == f"Connected: your IP address is 127.0.0.1 and your port is {port}\n".encode()


def test_a_command_without_a_newline_is_answered_in_one_receive(sock: socket.socket) -> None:
    """Most course clients send the bare command, then block in one receive for one reply."""
    before = time.time()
    for _ in range(3):
        sock.send(b"TIME")
        assert_time(sock.recv(1024), before)
        sock.send(b"HELLO")
        assert sock.recv(1024) == INVALID


def test_exit_without_a_newline_ends_the_server(tmp_path: Path) -> None:
    """A course client's bare EXIT is answered by the close of its connection and of everything else."""
    with Daemon("labnet-command", "--listen=tcp:0:interface=127.0.0.1", cwd=tmp_path) as daemon:
        with greeted(daemon.address("command server")) as sock:
            sock.send(b"EXIT")
            assert rest(sock) == b""
        assert daemon.wait() == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0"])
def test_a_line_is_one_command(sock: socket.socket, end: bytes) -> None:
    """nc ends a line by LF, telnet by CR LF or, a key at a time, by CR NUL: each is one command with one reply."""
    before = time.time()
    sock.send(b"TIME" + end)
    assert_time(line(sock), before)
    assert silent(sock)
    sock.send(b"time" + end)
    assert line(sock) == INVALID
    assert silent(sock)


def test_several_lines_in_one_segment_get_one_reply_each_in_order(sock: socket.socket) -> None:
    """Each line of one send has its own reply, in the order of the lines."""
    before = time.time()
    sock.send(b"TIME\nNO\r\nTIME\r\nNOR THIS\nTIME\n")
    for expected in (None, INVALID, None, INVALID, None):
        reply = line(sock)
        if expected is None:
            assert_time(reply, before)
        else:
            assert reply == expected
    assert silent(sock)


def test_the_first_letters_of_a_command_are_no_command(sock: socket.socket) -> None:
    """A line split over segments is one command, however long the rest of it takes to come."""
    before = time.time()
    for piece in (b"T", b"IM"):
        sock.send(piece)
        assert silent(sock)
    sock.send(b"E\n")
    assert_time(line(sock), before)
    assert silent(sock)


@pytest.mark.parametrize("text", [b"  TIME\n", b"TIME \t \r\n", b"\t TIME"])
def test_white_space_around_a_command_is_ignored(sock: socket.socket, text: bytes) -> None:
    """Blanks before and behind a command change nothing."""
    before = time.time()
    sock.send(text)
    sock.shutdown(socket.SHUT_WR)
    assert_time(rest(sock), before)


@pytest.mark.parametrize("text", [b"time", b"Time", b"exit", b"TIMES", b"TI ME", b"EXIT NOW", b""])
def test_anything_else_is_invalid(sock: socket.socket, text: bytes) -> None:
    """Commands are case-sensitive and whole; the connection stays open for the next one."""
    before = time.time()
    sock.send(text + b"\n")
    assert line(sock) == INVALID
    sock.send(b"TIME\n")
    assert_time(line(sock), before)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\xc3(",
        b"\0\0\0",
        b"TI\0ME",
        b"\xff\xfd\x03\xff\xfd\x01",  # telnet: IAC DO SUPPRESS-GO-AHEAD, IAC DO ECHO
        b"\xff\xfb\x1f\xff\xfa\x1f\0P\0\x18\xff\xf0",  # telnet: IAC WILL NAWS and its subnegotiation
        b"\xf0\x9f\x95\x90",
        b"A" * 100_000,
    ],
    ids=["no UTF-8", "NUL", "NUL inside", "telnet options", "telnet subnegotiation", "UTF-8", "over-long"],
)
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["bare", "line"])
def test_bytes_that_are_no_text_are_invalid(sock: socket.socket, text: bytes, end: bytes) -> None:
    """Whatever the bytes, one line or one bare send of them is one invalid command, and the next command works."""
    before = time.time()
    sock.sendall(text + end)
    assert line(sock) == INVALID
    assert silent(sock)
    sock.send(b"TIME\n")
    assert_time(line(sock), before)


def test_a_line_without_an_end_costs_no_memory(sock: socket.socket, daemon: Daemon) -> None:
    """Of thirty-two megabytes without a newline the server keeps next to nothing, and says once that it is invalid."""
    before = most_memory(daemon)
    sock.send(b"A" * 2000)
    assert line(sock) == INVALID
    piece = b"A" * 65536
    for _ in range(512):
        sock.sendall(piece)
    sock.sendall(b"\nTIME\n")
    assert_time(line(sock), 0)
    assert most_memory(daemon) - before < 8 * 2**20


def most_memory(daemon: Daemon) -> int:
    """The most bytes that its process has held so far."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize("text", [b"TIME\n", b"TIME", b"NO\nTIME", b"NO\nTIME\r\n"])
def test_a_client_that_half_closes_gets_its_replies_then_the_end(sock: socket.socket, text: bytes) -> None:
    """After the client's last byte every reply still arrives; input without a newline at end of file is a command."""
    before = time.time()
    sock.send(text)
    sock.shutdown(socket.SHUT_WR)
    *invalid, last = rest(sock).splitlines(keepends=True)
    assert invalid == [INVALID] * text.count(b"NO")
    assert_time(last, before)


@pytest.mark.parametrize("text", ["TIME\n", "TIME"])
def test_a_pipe_into_nc_prints_the_reply(server: Address, text: str) -> None:
    """``printf 'TIME\\n' | nc -N HOST PORT`` prints greeting and time, then ends; so it does without the newline."""
    nc = peers.tool("nc", "netcat-openbsd")
    before = time.time()
    host, port = server
    run = subprocess.run(
        ["sh", "-c", 'printf "$1" | "$2" -N "$3" "$4"', "sh", text, nc, host, str(port)],
        capture_output=True,
        timeout=DEADLINE,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    greeting, reply = run.stdout.splitlines(keepends=True)
    assert greeting.startswith(b"Connected: ")
    assert_time(reply, before)


@pytest.mark.parametrize("text", [b"TIME\n", b"TIME"])
def test_nc_that_stays_open_gets_its_reply(server: Address, text: bytes) -> None:
    """nc without -N sends and waits; its reply comes without an end of file, and without a newline."""
    before = time.time()
    command = [peers.tool("nc", "netcat-openbsd"), *map(str, server)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as nc:
        assert nc.stdin is not None
        try:
            assert printed_line(nc).startswith(b"Connected: ")
            for _ in range(2):
                nc.stdin.write(text)
                assert_time(printed_line(nc), before)
        finally:
            nc.kill()


def printed_line(process: subprocess.Popen[bytes]) -> bytes:
    """One line of its output; fails where none comes."""
    assert process.stdout is not None
    printed = b""
    while not printed.endswith(b"\n"):
        assert select.select([process.stdout], [], [], DEADLINE)[0], printed
        byte = process.stdout.read(1)
        assert byte, printed
        printed += byte
    return printed


def telnet_to(server: Address) -> Terminal:
    return Terminal([peers.tool("telnet", "telnet"), *map(str, server)])


def test_telnet_sends_a_line_at_a_time(server: Address) -> None:
    """What somebody types into telnet is answered line by line."""
    before = time.time()
    with telnet_to(server) as telnet:
        telnet.read_to(b"Connected: your IP address is 127.0.0.1 and your port is ")
        telnet.read_to(b"\r\n")
        for _ in range(2):
            telnet.type(b"TIME\n")
            telnet.read_to(b"TIME\r\n")
            assert_time(telnet.read_to(b"\n").replace(b"\r", b""), before)
            assert telnet.shows_nothing()
        telnet.type(b"what\n")
        telnet.read_to(b"what\r\n")
        assert telnet.read_to(b"\n") == b"Invalid command!\r\n"


def test_telnet_in_character_mode_sends_a_key_at_a_time(server: Address) -> None:
    """A T is not yet a command, the Enter behind TIME is no further one, and telnet's options are an invalid one."""
    before = time.time()
    with telnet_to(server) as telnet:
        telnet.read_to(b"Connected: your IP address is 127.0.0.1 and your port is ")
        telnet.read_to(b"\r\n")
        telnet.type(b"\x1d")
        telnet.read_to(b"telnet> ")
        telnet.type(b"mode character\n")
        telnet.read_to(INVALID)
        for key in (b"T", b"I", b"M"):
            telnet.type(key)
            assert telnet.shows_nothing()
        telnet.type(b"E")
        assert_time(telnet.read_to(b"\n"), before)
        telnet.type(b"\r")
        assert telnet.shows_nothing()
        for key in (b"t", b"i", b"\r"):
            telnet.type(key)
        assert telnet.read_to(b"\n") == INVALID
        assert telnet.shows_nothing()
