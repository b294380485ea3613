"""Connections to the command server: who is served and when, how each way to leave ends, what EXIT closes."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon, environment
from tests.interop.plain import Address, connect, ended, greeted, is_time, line, reset, resolve, rest, silent

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a command server with the options given; it must end as it should."""
    with ExitStack() as running:

        def start(*options: str) -> Daemon:
            arguments = ("labnet-command", "--listen=tcp:0:interface=127.0.0.1", *options)
            return running.enter_context(Daemon(*arguments, cwd=tmp_path))

        yield start


def is_refused(address: Address) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket() as sock:
        return sock.connect_ex(address) != 0


def test_a_second_client_waits_until_the_first_has_left(start: Start) -> None:
    """One is served at a time: the second is connected and gets no greeting and no answer before its turn."""
    server = start().address("command server")
    before = time.time()
    with greeted(server) as first, connect(server) as second:
        second.send(b"TIME\n")
        assert silent(second)
        first.send(b"TIME\n")
        assert is_time(line(first)[:-1], before)
        first.close()
        assert line(second).startswith(b"Connected: ")
        assert is_time(line(second)[:-1], before)


def test_a_burst_of_clients_is_served_one_after_the_other(start: Start) -> None:
    """However many connections the welcome port takes at once, each waits for all before it to leave."""
    server = start().address("command server")
    with ExitStack() as opened:
        first = opened.enter_context(greeted(server))
        waiting = [opened.enter_context(connect(server)) for _ in range(20)]
        assert silent(*waiting)
        first.close()
        for number, sock in enumerate(waiting):
            assert line(sock).startswith(b"Connected: ")
            assert silent(*waiting[number:], seconds=0.05)
            sock.close()


@pytest.mark.parametrize("limit", [0, 2])
def test_more_clients_are_served_at_a_time_where_the_option_says_so(start: Start, limit: int) -> None:
    """--clients 2 serves two and has the third wait; 0 serves all."""
    server = start("--clients", str(limit)).address("command server")
    with greeted(server) as first, greeted(server), connect(server) as third:
        if limit:
            assert silent(third)
            first.close()
        assert line(third).startswith(b"Connected: ")


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("asks", [b"", b"TIME\n" * 100], ids=["silent", "with replies unread"])
def test_a_client_that_leaves_makes_room_for_the_next(
    start: Start, leave: Callable[[socket.socket], None], asks: bytes
) -> None:
    """A close or a reset, be it in the middle of replies, ends that connection alone, without a word in the log."""
    server = start().address("command server")
    first, second = greeted(server), connect(server)
    with first, second:
        first.sendall(asks)
        leave(first)
        assert line(second).startswith(b"Connected: ")


def test_a_client_that_leaves_while_it_waits_is_passed_over(start: Start) -> None:
    """Clients that have reset or closed before their turn cost the one behind them nothing."""
    server = start().address("command server")
    with greeted(server) as first:
        reset(connect(server))
        connect(server).close()
        with connect(server) as last:
            assert silent(last)
            first.close()
            assert line(last).startswith(b"Connected: ")


def test_a_silent_client_is_closed_without_a_word(start: Start) -> None:
    """Past the time-out the connection ends behind its greeting, and the next client is served."""
    server = start("--timeout", "1").address("command server")
    with greeted(server) as first, connect(server) as second:
        assert rest(first) == b""
        assert line(second).startswith(b"Connected: ")


@pytest.mark.parametrize("dribble", [b" ", b"T", b"A", b"\xff"], ids=["blanks", "first letters", "a word", "no text"])
def test_dribbling_bytes_does_not_keep_a_connection_alive(start: Start, dribble: bytes) -> None:
    """Only a complete command starts the seconds anew, not the bytes before one."""
    server = start("--timeout", "1").address("command server")
    until = time.monotonic() + DEADLINE
    with greeted(server) as sock:
        while silent(sock, seconds=0.1):
            assert time.monotonic() < until
            sock.send(dribble)
        assert ended(sock) == b""


def test_a_command_starts_the_seconds_anew(start: Start) -> None:
    """A client that goes on asking is served for longer than the time-out."""
    server = start("--timeout", "1").address("command server")
    until = time.monotonic() + 3
    with greeted(server) as sock:
        while time.monotonic() < until:
            sock.send(b"TIME\n")
            assert len(line(sock)) == 25
            assert silent(sock, seconds=0.1)
        assert rest(sock) == b""


def test_a_client_that_never_reads_is_closed_too(start: Start) -> None:
    """Commands that the server cannot answer, its replies being unread, do not keep the connection alive."""
    server = start("--timeout", "1").address("command server")
    until = time.monotonic() + DEADLINE
    with closing(socket.socket()) as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        first.connect(server)
        with connect(server) as second:
            first.setblocking(False)
            while not select.select([second], [], [], 0)[0]:
                assert time.monotonic() < until
                if select.select([second], [first], [], 0.1)[1]:
                    try:
                        first.send(b"TIME\n" * 10_000)
                    except (BrokenPipeError, ConnectionResetError):
                        break
            assert line(second).startswith(b"Connected: ")


def test_exit_closes_every_socket_and_ends_the_process(start: Start) -> None:
    """The client's connection, the waiting one and the welcome port all close; the exit status is 0."""
    daemon = start()
    server = daemon.address("command server")
    with greeted(server) as first, connect(server) as second:
        first.send(b"TIME\nEXIT\nTIME\n")
        assert len(rest(first)) == 25
        assert ended(second) == b""
    assert daemon.wait() == 0
    assert is_refused(server)


def test_exit_closes_other_clients_in_the_middle(start: Start) -> None:
    """With several clients served, one's EXIT ends them all."""
    daemon = start("--clients", "0")
    server = daemon.address("command server")
    with greeted(server) as first, greeted(server) as second, greeted(server) as third:
        second.send(b"EXIT")
        assert [ended(sock) for sock in (first, second, third)] == [b""] * 3
    assert daemon.wait() == 0


EXITS = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
with socket.socket() as sock:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    sock.recv(1024)
    sock.send(b"EXIT\\n")
    sock.recv(1024)
"""


def test_exit_of_another_user_closes_only_that_connection(start: Start) -> None:
    """Where ``exit_from`` names a user: all have the same address here, and the system knows whose socket it is."""
    peers.root()
    daemon = start("--exit-from", "user:1234")
    server = daemon.address("command server")
    for uid in 65534, 1235:
        subprocess.run([sys.executable, "-c", EXITS, server[0], str(server[1]), str(uid)], check=True, timeout=DEADLINE)
        with greeted(server):
            pass
    subprocess.run([sys.executable, "-c", EXITS, server[0], str(server[1]), "1234"], check=True, timeout=DEADLINE)
    assert daemon.wait() == 0


def test_exit_from_elsewhere_closes_only_that_connection(start: Start) -> None:
    """A client outside of --exit-from ends its own connection, and the server goes on."""
    server = start("--exit-from", "192.0.2.0/24,2001:db8::/32").address("command server")
    with greeted(server) as first:
        first.send(b"EXIT\n")
        assert rest(first) == b""
    with greeted(server) as second:
        second.send(b"TIME\n")
        assert len(line(second)) == 25


def test_a_stop_tells_the_clients(start: Start) -> None:
    """On SIGTERM what has come is answered, who is served and who waits are told, and the process ends."""
    daemon = start()
    server = daemon.address("command server")
    with greeted(server) as first, connect(server) as second:
        first.send(b"TIME\n")
        assert len(line(first)) == 25
        assert silent(second)  # the server has taken it in by now
        first.send(b"NO\nTIME")
        assert line(first) == b"Invalid command!\n"
        daemon.process.send_signal(signal.SIGTERM)
        assert is_time(line(first)[:-1], 0)
        assert rest(first) == b"The server is closing\n"
        assert ended(second) == b"The server is closing\n"
    assert daemon.wait() == -signal.SIGTERM


def test_who_is_not_allowed_is_closed_at_once(start: Start) -> None:
    """Without a greeting; the log says so once, with the option's reason."""
    daemon = start("--allow", "192.0.2.0/24")
    server = daemon.address("command server")
    for _ in range(3):
        with connect(server) as sock:
            assert ended(sock) == b""
    daemon.wait_for(r"1 new connection\(s\) closed at once, the last from 127\.0\.0\.1: its address is not in `allow`")


def test_an_address_has_a_hundred_connections(start: Start) -> None:
    """The next one is closed; when one of the hundred leaves, there is room again."""
    server = start("--clients", "0").address("command server")
    with ExitStack() as opened:
        socks = [opened.enter_context(greeted(server)) for _ in range(100)]
        with connect(server) as sock:
            assert ended(sock) == b""
        socks[50].close()
        until = time.monotonic() + DEADLINE
        while True:
            with connect(server) as sock:
                if ended_or_greeted(sock):
                    break
            assert time.monotonic() < until


def ended_or_greeted(sock: socket.socket) -> bytes:
    """The first that comes, nothing where the server closes."""
    try:
        return sock.recv(1024)
    except ConnectionResetError:
        return b""


def test_exit_in_the_whole_lab_leaves_the_resolvers(tmp_path: Path) -> None:
    """After EXIT nobody takes connections, and the resolver answers as before."""
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    (tmp_path / "lab.toml").write_text(
        '[command]\nlisten = "tcp:0:interface=127.0.0.1"\n'
        '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "ips.txt"\n'
    )
    with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        server, resolver = daemon.address("command server"), daemon.address("resolver main")
        with greeted(server) as sock:
            sock.send(b"EXIT\n")
            assert rest(sock) == b""
        daemon.wait_for("the command server is closed; the other services go on")
        assert is_refused(server)
        assert resolve(resolver, "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", "180", "0", ')


# The published solution's client, in as few lines as show its steps.
TRANSCRIPT_CLIENT = """
import socket, sys
client = socket.socket()
client.connect((sys.argv[1], int(sys.argv[2])))
print("MESSAGE!!! ----> Server Message: " + client.recv(1024).decode())
while True:
    command = input("MESSAGE!!! ----> Please enter a command (TIME or EXIT): ")
    client.send(command.encode())
    if command == "EXIT":
        break
    print("MESSAGE!!! ----> Server Response: " + client.recv(1024).decode())
assert client.recv(1024) == b""
client.close()
input("MESSAGE!!! ----> Press Enter to exit from the console...")
"""


def test_the_transcripts_client_has_the_transcripts_dialogue(start: Start) -> None:
    """In its reply style every word is the published server's, and its EXIT ends only that client's connection."""
    server = start("--replies", "transcript").address("command server")
    command = [sys.executable, "-c", TRANSCRIPT_CLIENT, *map(str, server)]
    for _ in range(2):
        before = time.time()
        run = subprocess.run(
            command, input="TIME\nDATE\nEXIT\n\n", capture_output=True, text=True, timeout=DEADLINE, env=environment()
        )
        assert (run.returncode, run.stderr) == (0, "")
        say, ask = "MESSAGE!!! ----> ", "MESSAGE!!! ----> Please enter a command (TIME or EXIT): "
        greeting, blank, told, invalid, blank2, last = run.stdout.split("\n")
        assert greeting.startswith(f"{say}Server Message: {say}We are now connected to ('127.0.0.1', ")
        assert greeting.removesuffix(")").rpartition(" ")[2].isdigit()
        assert told.startswith(f"{ask}{say}Server Response: ")
        assert is_time(told.removeprefix(f"{ask}{say}Server Response: ").encode(), before)
        assert invalid == f"{ask}{say}Server Response: WARNING!!! ----> Please enter a valid command!"
        assert last == f"{ask}{say}Press Enter to exit from the console..."
        assert (blank, blank2) == ("", "")


def test_a_unix_socket_serves_as_tcp_does(tmp_path: Path) -> None:
    """The listener may be any endpoint of Twisted's; a client on this machine's own socket may end the server."""
    with Daemon("labnet-command", "--listen=unix:command", cwd=tmp_path) as daemon:
        daemon.wait_for(r"command server listens on command \(UNIX\)")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(str(tmp_path / "command"))
            before = time.time()
            assert line(sock).startswith(b"Connected: your IP address is ")
            sock.send(b"TIME")
            assert is_time(line(sock)[:-1], before)
            sock.send(b"EXIT")
            assert rest(sock) == b""
        assert daemon.wait() == 0
    assert not (tmp_path / "command").exists()
