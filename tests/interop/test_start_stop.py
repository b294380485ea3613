"""The daemon and who starts it: systemd's notifications and sockets, and a second start."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, SCRIPT, TWISTD, Daemon, environment, trouble
from tests.interop.plain import connect, greeted, is_time, line, resolve

LAB = """
[command]
listen = "tcp:{command}:interface={host}"
[resolver.main]
listen = "udp:{resolver}:interface={host}"
records = "ips.txt"
"""

PASS = """
import os, sys
names, *command = sys.argv[1:]
# What systemd passes begins at 3, and names the process that it is for.
given = [int(number) for number in os.environ.pop("TEST_FDS").split(",")]
high = [os.dup(number) for number in given]
held = [os.dup2(number, 50 + at) for at, number in enumerate(high)]
for at, number in enumerate(held):
    os.dup2(number, 3 + at)
os.closerange(3 + len(held), 256)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


@pytest.fixture
def host() -> str:
    """An address of this machine on which nobody else has any port."""
    return f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}.{secrets.randbelow(253) + 2}"


@pytest.fixture
def lab(host: str, tmp_path: Path) -> Path:
    """A configuration in ``tmp_path`` that listens on numbered ports of ``host``."""
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    (tmp_path / "lab.toml").write_text(LAB.format(host=host, command=7007, resolver=5300))
    return tmp_path


def answers(host: str) -> None:
    """Both services of the configuration answer, the resolver by UDP and TCP."""
    assert resolve((host, 5300), "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", ')
    with socket.create_connection((host, 5300), DEADLINE) as sock:
        question = bytes.fromhex("123401000001000000000000") + b"\3www\3biu\2ac\2il\0\0\1\0\1"
        sock.sendall(len(question).to_bytes(2, "big") + question)
        assert sock.recv(4)[2:] == question[:2]
    with greeted((host, 7007)) as sock:
        sock.send(b"TIME\n")
        assert is_time(line(sock)[:-1], 0)


class Systemd:
    """The datagram socket at which systemd hears of a service."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(DEADLINE)

    def told(self) -> dict[str, str]:
        """The next message."""
        lines = self._socket.recv(4096).decode().splitlines()
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def told_of(self, key: str) -> dict[str, str]:
        """The next message that has ``key``; in between the watchdog is fed for ever."""
        until = time.monotonic() + DEADLINE
        while key not in (told := self.told()):
            assert time.monotonic() < until, f"systemd is told nothing of {key}"
        return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Systemd, str]]:
    """systemd's end, and what NOTIFY_SOCKET says."""
    name = f"labnet-{secrets.token_hex(8)}"
    path, told = (str(tmp_path / name),) * 2 if request.param == "path" else (f"\0{name}", f"@{name}")
    systemd = Systemd(path)
    yield systemd, told
    systemd.close()


def test_systemd_is_told_how_it_goes(notified: tuple[Systemd, str], host: str, lab: Path) -> None:
    """Ready when it answers and not before; a reload and how it went; that it lives; and its end."""
    systemd, address = notified
    env = environment(NOTIFY_SOCKET=address, WATCHDOG_USEC="200000")
    with Daemon("labnet", "--config=lab.toml", cwd=lab, command=SCRIPT, env=env) as daemon:
        daemon.wait_for("resolver main listens on")
        ready = systemd.told()
        assert ready["READY"] == "1"
        assert ready["MAINPID"] == str(daemon.process.pid)
        assert ready["STATUS"] == f"serving command on {host}:7007, main on {host}:5300"
        answers(host)
        for _ in range(3):
            assert systemd.told() == {"WATCHDOG": "1"}
        daemon.process.send_signal(signal.SIGHUP)
        assert int(systemd.told_of("RELOADING")["MONOTONIC_USEC"]) > 0
        assert systemd.told_of("READY")["STATUS"] == ready["STATUS"]
        (lab / "ips.txt").write_text("www.biu.ac.il\n")
        daemon.process.send_signal(signal.SIGHUP)
        systemd.told_of("RELOADING")
        status = systemd.told_of("READY")["STATUS"]
        assert status.startswith(f"not reloaded: {lab}/ips.txt:1: ")
        assert status.endswith(f"; goes on {ready['STATUS']}")
        daemon.process.send_signal(signal.SIGTERM)
        assert systemd.told_of("STOPPING")["EXTEND_TIMEOUT_USEC"] == "10000000"
        assert daemon.wait() == -signal.SIGTERM


def test_a_start_that_fails_is_never_ready(notified: tuple[Systemd, str], host: str, lab: Path) -> None:
    """systemd hears nothing of a lab whose port is taken."""
    systemd, address = notified
    env = environment(NOTIFY_SOCKET=address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((host, 5300))
        command = [TWISTD, "-n", "--pidfile=", "labnet", "--config=lab.toml"]
        ended = subprocess.run(command, cwd=lab, env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert ended.returncode == 1
    systemd._socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.told()


def passed(host: str) -> list[socket.socket]:
    """The sockets of a socket unit for the lab, as systemd opens them: blocking, and kept by it."""
    sockets = []
    for kind, number in (socket.SOCK_STREAM, 7007), (socket.SOCK_DGRAM, 5300), (socket.SOCK_STREAM, 5300):
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind((host, number))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sockets.append(sock)
    return sockets


def activated(sockets: list[socket.socket], lab: Path, names: str) -> Daemon:
    """The lab as systemd starts it with ``sockets``."""
    numbers = [sock.fileno() for sock in sockets]
    env = environment(TEST_FDS=",".join(map(str, numbers)))
    command = (sys.executable, "-c", PASS, names, TWISTD)
    return Daemon("labnet", "--config=lab.toml", cwd=lab, command=command, env=env, pass_fds=numbers)


def test_the_lab_listens_on_what_systemd_passes(host: str, lab: Path) -> None:
    """For both services, UDP and TCP; who comes between two runs is served by the second, and nobody is refused."""
    sockets = passed(host)
    try:
        for _ in range(2):
            early = connect((host, 7007))
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            asking.settimeout(DEADLINE)
            asking.sendto(b"www.biu.ac.il", (host, 5300))
            with activated(sockets, lab, "labnet:labnet:labnet") as daemon, early, asking:
                assert asking.recv(512).startswith(b'["www.biu.ac.il", "1.2.3.4", ')
                assert b"Connected" in early.recv(512)
                early.close()
                answers(host)
            assert "nothing listens on" not in daemon.log
    finally:
        for sock in sockets:
            sock.close()


def test_what_systemd_passes_and_nobody_wants_is_named_once(host: str, lab: Path) -> None:
    """With its name, its kind and its address; the lab runs, on a socket of its own where none was passed."""
    sockets = passed(host)
    stray = socket.create_server((host, 7008))
    sockets[1].close()
    try:
        with activated([sockets[0], stray, sockets[2]], lab, "a:b:c") as daemon:
            daemon.wait_for("resolver main listens on")
            answers(host)
        warnings = [line for line in daemon.log.splitlines() if "systemd passed" in line]
        assert len(warnings) == 1
        assert f"nothing listens on what systemd passed: b (TCP {host}:7008); " in warnings[0]
    finally:
        for sock in (*sockets, stray):
            sock.close()


def test_systemds_own_program_starts_the_lab_with_its_first_client(host: str, lab: Path) -> None:
    """systemd-socket-activate, for TCP and for UDP: it does one kind at a time."""
    activate = peers.tool("systemd-socket-activate", "systemd")
    datagrams = [activate, "--datagram", "-l", f"{host}:5300"]
    streams = [activate, "-l", f"{host}:7007", "-l", f"{host}:5300"]
    with Daemon("labnet", "--config=lab.toml", cwd=lab, command=(*streams, TWISTD)) as daemon:
        daemon.wait_for(r"Listening on \S+:5300 as 4")
        first = connect((host, 7007))
        daemon.wait_for("resolver main listens on")
        with first:
            assert b"Connected" in first.recv(512)
        answers(host)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with Daemon("labnet", "--config=lab.toml", cwd=lab, command=(*datagrams, TWISTD)) as daemon, sender:
        daemon.wait_for(r"Listening on \S+:5300 as 3")
        sender.settimeout(DEADLINE)
        sender.sendto(b"www.biu.ac.il", (host, 5300))
        assert sender.recv(512).startswith(b'["www.biu.ac.il", "1.2.3.4", ')
        answers(host)


def test_an_endpoint_of_twisteds_takes_a_socket_by_its_name(host: str, lab: Path) -> None:
    """``systemd:domain=INET:name=command`` listens on the port of the unit, whatever that is."""
    (lab / "lab.toml").write_text('[command]\nlisten = "systemd:domain=INET:name=command"\n')
    sock = socket.create_server((host, 7007))
    with sock, activated([sock], lab, "command") as daemon:
        assert daemon.address("command server") == (host, 7007)
        with greeted((host, 7007)) as client:
            client.send(b"TIME\n")
            assert is_time(line(client)[:-1], 0)
        assert "nothing listens on" not in daemon.log


def second_start(lab: Path, in_foreground: bool) -> str:
    """What a second ``twistd labnet`` in another folder says before it ends with status 1, in all."""
    mode = ("-n", "--pidfile=") if in_foreground else ("--pidfile=second.pid", "--logfile=second.log")
    command = [TWISTD, *mode, "labnet", "--config=lab.toml"]
    ended = subprocess.run(command, cwd=lab, env=environment(), capture_output=True, text=True, timeout=DEADLINE)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    log = (lab / "second.log").read_text() if not in_foreground else ended.stdout
    assert not trouble(ended.stdout + ended.stderr + log), log
    if in_foreground:
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("in_foreground", [True, False], ids=["foreground", "background"])
@pytest.mark.parametrize("listener", ["udp", "tcp", "unix"])
def test_a_second_lab_says_that_the_first_has_its_port(
    listener: str, in_foreground: bool, host: str, tmp_path: Path
) -> None:
    """In one line with the listener and the reason, and the first goes on."""
    first, second = tmp_path / "first", tmp_path / "second"
    command, resolver = f"tcp:7007:interface={host}", f"udp:5300:interface={host}"
    # twistd tells the shell 98 bytes of it.
    path = f"/tmp/labnet-{secrets.token_hex(4)}"
    if listener == "unix":
        command = f"unix:{path}"
    taken = {"udp": resolver, "tcp": command, "unix": command}[listener]
    for folder in first, second:
        folder.mkdir()
        tables = f'[command]\nlisten = "{command}"\n' if listener != "udp" else ""
        tables += f'[resolver.main]\nlisten = "{resolver}"\n' if listener == "udp" else ""
        (folder / "lab.toml").write_text(tables)
    with Daemon("labnet", "--config=lab.toml", cwd=first) as daemon:
        daemon.wait_for("listens on")
        said = second_start(second, in_foreground)
        assert f"cannot listen on {taken}: Address already in use" in said
        if listener == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(DEADLINE)
                client.connect(path)
                assert b"Connected" in client.recv(512)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_lab_does_not_share_the_ports_of_workers(workers: int, host: str, tmp_path: Path) -> None:
    """Workers share theirs among themselves; another lab, with or without workers, is told that they are in use."""
    first, second = tmp_path / "first", tmp_path / "second"
    table = f'[resolver.main]\nlisten = "udp:5300:interface={host}"\n'
    for folder, count in (first, 2), (second, workers):
        folder.mkdir()
        (folder / "lab.toml").write_text(f"[lab]\nworkers = {count}\n{table}")
    with Daemon("labnet", "--config=lab.toml", cwd=first) as daemon:
        daemon.wait_for("resolver main listens on")
        said = second_start(second, True)
        assert f"cannot listen on udp:5300:interface={host}: Address already in use" in said


def test_workers_listen_on_what_systemd_passes(host: str, lab: Path) -> None:
    """All of them on the same sockets."""
    (lab / "lab.toml").write_text("[lab]\nworkers = 2\n" + (lab / "lab.toml").read_text())
    sockets = passed(host)
    try:
        with activated(sockets, lab, "labnet:labnet:labnet") as daemon:
            daemon.wait_for("resolver main listens on")
            for _ in range(5):
                answers(host)
    finally:
        for sock in sockets:
            sock.close()


def test_a_unix_socket_that_a_dead_daemon_left_is_replaced(tmp_path: Path) -> None:
    """After kill -9 the file is there, and the next start serves at it."""
    (tmp_path / "lab.toml").write_text(f'[command]\nlisten = "unix:{tmp_path}/s"\n')
    for end in Daemon.kill, Daemon.stop:
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            daemon.wait_for("command server listens on")
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(DEADLINE)
                client.connect(str(tmp_path / "s"))
                assert b"Connected" in client.recv(512)
            end(daemon)
            assert (tmp_path / "s").exists() is (end is Daemon.kill)
    assert not re.search(r"\.lock$", "\n".join(os.listdir(tmp_path)), re.MULTILINE)
