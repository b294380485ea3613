"""SIGHUP and the watch: a running daemon gets a new configuration and new records, under load and with all wrong."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment
from tests.interop.dns_peers import free_port
from tests.interop.plain import Address, connect, greeted, is_time, line, resolve

LAB = """
[lab]
{lab}
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
timeout = 3600
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "ips.txt"
parents = "text:127.0.0.1:{parent}"
learned = "main.learned"
rate_limit = 0
"""

RELOADS = 25
RELOADED = "the lab was reloaded"


def write(folder: Path, version: int, parent: int = 1, lab: str = "", more: str = "") -> None:
    """Put the configuration and the records of ``version`` in place, each in one step."""
    for name, content in (
        ("ips.txt", f"www.lab.test,10.0.0.{version},60\nold.lab.test,10.0.1.{version},60\n"),
        ("lab.toml", LAB.format(lab=lab, parent=parent) + more),
    ):
        (folder / f"{name}.new").write_text(content)
        (folder / f"{name}.new").replace(folder / name)


def wait_for_all(daemon: Daemon, times: int, says: str = RELOADED) -> None:
    """Until the log has said ``says`` so many times."""
    daemon.wait_for_all(says, times)


def reload(daemon: Daemon, times: int, says: str = RELOADED) -> None:
    """SIGHUP, until the log has said ``says`` so many times."""
    daemon.process.send_signal(signal.SIGHUP)
    wait_for_all(daemon, times, says)


class Load:
    """Asks ``ask`` for the version that is served, again and again, and looks whether it can be the one."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self.confirmed = self.latest = 1
        self._ask = ask
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            least = self.confirmed
            try:
                version = self._ask()
            except Exception as error:  # whatever it is, the test is to name it
                self.wrong.append(repr(error))
                return
            if not least <= version <= self.latest:
                self.wrong.append(f"version {version} where {least} to {self.latest} are served")
            self.answers += 1

    def end(self) -> None:
        self._ends.set()
        self._thread.join(DEADLINE)


def course_version(address: Address) -> int:
    """By the course protocol, each question from a port of its own."""
    found = re.search(rb'"10\.0\.0\.(\d+)"', resolve(address, "www.lab.test"))
    assert found is not None
    return int(found[1])


def dns_version(reply: bytes) -> int:
    message = dns.message.from_wire(reply)
    assert message.rcode() == dns.rcode.NOERROR, message.to_text()
    return int(message.answer[0][0].address.rpartition(".")[2])


class DNSClient:
    """Asks by UDP or, on one connection for all questions, by TCP."""

    def __init__(self, address: Address, stream: bool) -> None:
        self._stream = stream
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)

    def version(self) -> int:
        query = dns.message.make_query("www.lab.test", "A")
        wire = query.to_wire()
        self.socket.sendall(len(wire).to_bytes(2, "big") + wire if self._stream else wire)
        reply = self._read(int.from_bytes(self._read(2), "big")) if self._stream else self.socket.recv(65535)
        assert reply[:2] == wire[:2]
        return dns_version(reply)

    def _read(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            piece = self.socket.recv(size - len(read))
            assert piece, "the server closed the connection"
            read += piece
        return read


@contextmanager
def parent(delay: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """A course parent that knows every name, ``delay`` seconds after it is asked: its port, and what it was asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        asked: list[bytes] = []

        def serve() -> None:
            while True:
                name, address = sock.recvfrom(512)
                if not name:
                    return
                asked.append(name)
                time.sleep(delay)
                sock.sendto(b"%s,192.0.2.77,600" % name, address)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1], asked
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join(DEADLINE)


def sockets(daemon: Daemon) -> set[str]:
    """The sockets that the daemon listens on at 127.0.0.1, by their inodes."""
    folder = f"/proc/{daemon.process.pid}/fd"
    opened = set()
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            opened.add(os.readlink(f"{folder}/{number}"))
    listening = set()
    for kind, state in ("udp", "07"), ("tcp", "0A"):
        lines = [line.split() for line in Path(f"/proc/net/{kind}").read_text().splitlines()]
        listening |= {fields[9] for fields in lines if fields[3] == state and fields[1].startswith("0100007F")}
    return {inode for inode in listening if f"socket:[{inode}]" in opened}


def test_nothing_is_lost_and_nothing_is_wrong_while_it_reloads(tmp_path: Path) -> None:
    """Under UDP and TCP questions of both protocols, 25 times: no answer missing or old, no session or socket gone."""
    with parent() as (port, asked), ExitStack() as stack:
        write(tmp_path, 1, port)
        daemon = stack.enter_context(Daemon("labnet", "--config=lab.toml", cwd=tmp_path))
        address = daemon.address("resolver main")
        assert b'"192.0.2.77"' in resolve(address, "learned.example")
        session = stack.enter_context(greeted(daemon.address("command server")))
        clients = [DNSClient(address, stream) for stream in (False, True)]
        for client in clients:
            stack.enter_context(client.socket)
        listening = sockets(daemon)
        assert len(listening) == 3
        loads = [Load(client.version) for client in clients] + [Load(lambda: course_version(address))]
        try:
            for version in range(2, RELOADS + 2):
                for load in loads:
                    load.latest = version
                write(tmp_path, version, port)
                reload(daemon, version - 1)
                for load in loads:
                    load.confirmed = version
                before = time.time()
                session.sendall(b"TIME\n")
                assert is_time(line(session).strip(), before)
                assert b'"192.0.2.77"' in resolve(address, "learned.example")
        finally:
            for load in loads:
                load.end()
        assert [load.wrong for load in loads] == [[], [], []]
        assert all(load.answers > RELOADS for load in loads), [load.answers for load in loads]
        print("answers under reloads:", [load.answers for load in loads])
        assert listening == sockets(daemon)
        assert asked == [b"learned.example"]


def test_an_error_keeps_everything_and_says_what_labnet_check_says(tmp_path: Path) -> None:
    """Each problem in the log word for word, once; the old records are served; mended, the new ones are.

    The daemon is in another folder than the one that its files were named from.
    """
    write(tmp_path, 1)
    (tmp_path / "run").mkdir()
    with Daemon("--rundir=run", "labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        address = daemon.address("resolver main")
        write(tmp_path, 2, more="clients = -1\n[command.more]\n")
        (tmp_path / "ips.txt").write_text("nonsense\n")
        reload(daemon, 1, "the lab was not reloaded and goes on as it was")
        reload(daemon, 2, "the lab was not reloaded and goes on as it was")
        assert course_version(address) == 1
        command = (str(Path(sys.executable).with_name("labnet")), "check", "lab.toml")
        check = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=DEADLINE
        )
        problems = [problem.removeprefix("labnet: ") for problem in check.stderr.splitlines()]
        assert len(problems) >= 2
        for problem in problems:
            assert daemon.log.count(problem) == 1, problem
        write(tmp_path, 3)
        reload(daemon, 1)
        assert course_version(address) == 3


def test_a_port_that_is_taken_keeps_everything(tmp_path: Path) -> None:
    """The sentence of a start; not even the listeners that could be opened are."""
    write(tmp_path, 1)
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon, ExitStack() as stack:
        address = daemon.address("resolver main")
        taken = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        number, free = free_port(), free_port()
        taken.bind(("127.0.0.1", number))
        assert course_version(address) == 1  # by now what it had to try for a number free for both is closed
        before = sockets(daemon)
        more = f'[resolver.b]\nlisten = "udp:{free}"\n[resolver.c]\nlisten = "udp:{number}"\n'
        write(tmp_path, 2, more=more)
        reload(daemon, 1, "the lab was not reloaded and goes on as it was")
        assert f"cannot listen on udp:{number}:interface=127.0.0.1: Address already in use; free it" in daemon.log
        assert course_version(address) == 1
        assert sockets(daemon) == before
        taken.close()
        reload(daemon, 1)
        assert course_version(address) == 2
        assert resolve(("127.0.0.1", free), "nobody") == b"[]"


def test_services_come_and_go(tmp_path: Path) -> None:
    """With their tables; a listener that gets wider, and a resolver that gets another name, keep their numbers."""
    number = free_port()
    second = f'[resolver.second]\nlisten = "udp:{number}"\nrecords = "ips.txt"\n'
    write(tmp_path, 1)
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        commands = daemon.address("command server")
        write(tmp_path, 2, more=second)
        reload(daemon, 1)
        there = daemon.address("resolver second")
        assert course_version(there) == 2
        write(tmp_path, 3, more=second.replace(f"{number}", f"{number}:interface=0.0.0.0"))
        reload(daemon, 2)
        assert course_version(there) == 3
        write(tmp_path, 4, more=second.replace("second", "third"))
        reload(daemon, 3)
        daemon.wait_for("resolver third listens")
        assert course_version(there) == 4
        (tmp_path / "lab.toml").write_text(second.replace("second", "third"))
        reload(daemon, 4)
        daemon.wait_for(rf"TCP Port {commands[1]} Closed")  # in the turn behind the reload
        assert course_version(there) == 4  # so that turn is over
        with pytest.raises(ConnectionRefusedError):
            connect(commands)


def test_changes_are_watched(tmp_path: Path) -> None:
    """With ``watch`` new records are served without a signal; what the lab learns is no change."""
    with parent() as (port, _):
        write(tmp_path, 1, port, lab="watch = true")
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            address = daemon.address("resolver main")
            write(tmp_path, 2, port, lab="watch = true")
            daemon.wait_for(RELOADED)
            assert course_version(address) == 2
            assert b'"192.0.2.77"' in resolve(address, "learned.example")
            write(tmp_path, 3, port, lab="watch = true")
            wait_for_all(daemon, 2)
            assert course_version(address) == 3
            assert daemon.log.count(RELOADED) == 2


def test_the_other_plugins_reload_too(tmp_path: Path) -> None:
    """labnet-resolver reads its records again, though it is in another folder by then and learns into that file."""
    (tmp_path / "run").mkdir()
    (tmp_path / "ips.txt").write_text("www.lab.test,10.0.0.1,60\n")
    with parent() as (port, asked):
        words = ("--rundir=run", "labnet-resolver", "0", "127.0.0.1", str(port), "ips.txt")
        with Daemon(*words, cwd=tmp_path) as daemon:
            address = daemon.address("resolver resolver")
            assert b'"192.0.2.77"' in resolve(address, "learned.example")
            content = (tmp_path / "ips.txt").read_text()
            (tmp_path / "ips.txt").write_text(content.replace("10.0.0.1", "10.0.0.2"))
            reload(daemon, 1)
            assert course_version(address) == 2
            assert b'"192.0.2.77"' in resolve(address, "learned.example")
        assert asked == [b"learned.example"]
    assert "www.lab.test,10.0.0.2,60" in (tmp_path / "ips.txt").read_text()
    assert "learned.example,192.0.2.77,600,1," in (tmp_path / "ips.txt").read_text()
    words = ("labnet-command", "--listen=tcp:0:interface=127.0.0.1")
    with Daemon(*words, cwd=tmp_path) as daemon, greeted(daemon.address("command server")) as session:
        reload(daemon, 1)
        before = time.time()
        session.sendall(b"TIME\n")
        assert is_time(line(session).strip(), before)


def test_signals_by_the_dozen_make_few_reloads(tmp_path: Path) -> None:
    """Those that come while one runs make one more, which sees the last change."""
    write(tmp_path, 1)
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        address = daemon.address("resolver main")
        for version in range(2, 52):
            write(tmp_path, version)
            daemon.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + DEADLINE
        while course_version(address) != 51:
            assert time.monotonic() < until


def test_what_is_in_flight_at_the_end_is_answered(tmp_path: Path) -> None:
    """SIGTERM waits for a slow parent: UDP and TCP get their answers, and then it ends."""
    with parent(delay=1.5) as (port, asked), ExitStack() as stack:
        write(tmp_path, 1, port, lab="grace = 30")
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            address = daemon.address("resolver main")
            course = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            course.settimeout(DEADLINE)
            course.connect(address)
            course.sendall(b"slow.example")
            stream = stack.enter_context(connect(address))
            query = dns.message.make_query("slow.example", "A").to_wire()
            stream.sendall(len(query).to_bytes(2, "big") + query)
            until = time.monotonic() + DEADLINE
            while not asked:
                assert time.monotonic() < until
            daemon.process.send_signal(signal.SIGTERM)
            assert b'"192.0.2.77"' in course.recv(512)
            reply = b""
            while piece := stream.recv(512):
                reply += piece
            assert dns_version(reply[2:]) == 77
            assert daemon.wait() == -signal.SIGTERM


@pytest.mark.parametrize(("grace", "again"), [(0.5, False), (3600, True)])
def test_the_end_does_not_wait_for_ever(tmp_path: Path, grace: float, again: bool) -> None:
    """The end of ``grace``, or a second signal, ends it; who waits is told that there is no answer."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, ExitStack() as stack:
        silent.bind(("127.0.0.1", port))
        write(tmp_path, 1, port, lab=f"grace = {grace}", more="parent_timeout = 3600\n")
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            course = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            course.settimeout(DEADLINE)
            course.sendto(b"slow.example", daemon.address("resolver main"))
            silent.recv(512)
            daemon.process.send_signal(signal.SIGTERM)
            if again:
                daemon.wait_for("a second signal ends that")
                daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait() == -signal.SIGTERM
            assert course.recv(512) == b"[]"
            assert ("a second signal: what is in flight is given up" in daemon.log) == again


def test_the_end_of_its_terminal_ends_it(tmp_path: Path) -> None:
    """As it ends any program; SIGHUP while the terminal is there is a reload."""
    write(tmp_path, 1)
    words = [TWISTD, "-n", "--pidfile=", f"--rundir={tmp_path}", "labnet", f"--config={tmp_path}/lab.toml"]
    # The lab leads a session whose terminal this is.
    leads = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    command = [sys.executable, "-c", leads + "os.execv(sys.argv[1], sys.argv[1:])", *words]
    master, slave = os.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        shown = b""
        while b"resolver main listens" not in shown:
            shown += os.read(master, 4096)
        process.send_signal(signal.SIGHUP)
        while RELOADED.encode() not in shown:
            shown += os.read(master, 4096)
        os.close(master)
        process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait()
