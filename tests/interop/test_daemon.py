"""twistd with labnet in the background and in the foreground: start, end, and every way not to start."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment, trouble
from tests.interop.plain import connect, ended, greeted, line, resolve, rest

LABNET = str(Path(sys.executable).with_name("labnet"))

LAB = """
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "ips.txt"
parents = "text:127.0.0.1:{parent}"
learned = "main.learned"
"""

WRONG = """
[command]
clients = -1
listen = "tcp:99999"
time_out = 15
[resolver.main]
listen = "udp:0"
records = ["missing.txt", "bad.txt"]
dialect = "xml"
[resolver.other]
records = "worse.txt"
"""

TWIST = str(Path(sys.executable).with_name("twist"))

BACKGROUND = ("--pidfile=lab.pid", "--logfile=lab.log", "--rundir=run")


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end, with everything it says."""
    return subprocess.run(
        command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE
    )


def run_to_the_daemons_end(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run what leaves a process in the background that ends too, and wait for that one's end as well."""
    its_end, held = os.pipe()
    try:
        ran = subprocess.run(
            command,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            pass_fds=(held,),
        )
        os.close(held)
        assert select.select([its_end], [], [], DEADLINE)[0], "the process in the background goes on"
        return ran
    finally:
        os.close(its_end)


@contextmanager
def background(cwd: Path) -> Iterator[int]:
    """``twistd labnet`` as a daemon of its own, run in ``cwd``/run: its process id; the end of the block ends it."""
    (cwd / "run").mkdir(exist_ok=True)
    started = run(TWISTD, *BACKGROUND, "labnet", "--config=lab.toml", cwd=cwd)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    pid = int((cwd / "lab.pid").read_text())
    process = os.pidfd_open(pid)
    try:
        yield pid
        signal.pidfd_send_signal(process, signal.SIGTERM)
        assert select.select([process], [], [], DEADLINE)[0], "SIGTERM did not end it"
    except BaseException:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        raise
    finally:
        os.close(process)


def address(log: str, server: str) -> tuple[str, int]:
    found = re.search(rf"{server} listens on (\S+):(\d+) \(", log)
    assert found, log
    return found[1], int(found[2])


def test_a_daemon_starts_answers_and_stops(tmp_path: Path) -> None:
    """When twistd returns the lab answers; SIGTERM ends it and its pid file, and what it learned is below --rundir."""
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    (tmp_path / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
    with Daemon("labnet-resolver", "0", "-1", "-1", "parent.txt", cwd=tmp_path) as parent:
        (tmp_path / "lab.toml").write_text(LAB.format(parent=parent.address("resolver resolver")[1]))
        with background(tmp_path) as pid:
            log = (tmp_path / "lab.log").read_text()
            assert os.getsid(pid) != os.getsid(0)
            resolver = address(log, "resolver main")
            assert resolve(resolver, "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", "180", "0", ')
            learned = resolve(resolver, "www.google.co.il")
            assert learned.startswith(b'["www.google.co.il", "21.09.1992.8", "60", "1", ')
            sock = greeted(address(log, "command server"))
        with sock:
            assert rest(sock) == b"The server is closing\n"
    assert not (tmp_path / "lab.pid").exists()
    log = (tmp_path / "lab.log").read_text()
    assert "Server Shut Down." in log
    assert not trouble(log)
    assert (tmp_path / "run/var/main.learned").read_text().startswith("www.google.co.il,21.09.1992.8,60,1,")
    with background(tmp_path):
        address_now = address((tmp_path / "lab.log").read_text().removeprefix(log), "resolver main")
        assert resolve(address_now, "www.google.co.il") == learned


def test_sigterm_closes_clients_and_ports(tmp_path: Path) -> None:
    """Those served and those who wait are told, and their connections close."""
    with Daemon("labnet-command", "--listen=tcp:0:interface=127.0.0.1", cwd=tmp_path) as daemon:
        server = daemon.address("command server")
        with greeted(server) as first, connect(server) as second:
            first.send(b"TIME\n")
            assert len(line(first)) == 25
            daemon.stop()
            assert rest(first) == b"The server is closing\n"
            assert ended(second) == b"The server is closing\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("labnet", "--config=lab.toml"),
        ("labnet-command", "--listen=tcp:0:interface=127.0.0.1"),
        ("labnet-resolver", "0", "-1", "-1", "ips.txt"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_twist_runs_each_plugin_as_twistd_does(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """It has no run folder, no pid file, and no privileged start, in which twistd has the ports opened."""
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    (tmp_path / "lab.toml").write_text(LAB.format(parent=9))
    with Daemon(*arguments, cwd=tmp_path, command=(TWIST,), switches=("--log-format=text",)) as daemon:
        if arguments[0] != "labnet-resolver":
            with greeted(daemon.address("command server")) as sock:
                sock.send(b"TIME\n")
                assert len(line(sock)) == 25
        if arguments[0] != "labnet-command":
            resolver = daemon.address("resolver main" if arguments[0] == "labnet" else "resolver resolver")
            assert resolve(resolver, "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", "180", "0", ')
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == -signal.SIGTERM
    assert (tmp_path / "var").is_dir() == (arguments[0] == "labnet")


@pytest.fixture(params=["tcp", "udp"])
def used(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A listener that somebody has already, and a configuration in ``tmp_path`` that names it."""
    kind = socket.SOCK_STREAM if request.param == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if request.param == "tcp":
            taken.listen()
        listener = f"{request.param}:{taken.getsockname()[1]}:interface=127.0.0.1"
        table = "command" if request.param == "tcp" else "resolver.main"
        (tmp_path / "lab.toml").write_text(f'[{table}]\nlisten = "{listener}"\n')
        (tmp_path / "run").mkdir()
        yield listener


def test_a_used_port_is_said_in_one_line(used: str, tmp_path: Path) -> None:
    """In the foreground stderr has the sentence alone; the exit status is 1."""
    ended = run(TWISTD, "-n", "--pidfile=lab.pid", "labnet", "--config=lab.toml", cwd=tmp_path)
    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(f"labnet: cannot listen on {used}: Address already in use")
    assert not trouble(ended.stdout)
    assert not (tmp_path / "lab.pid").exists()


def test_twist_says_a_used_port_in_one_line(used: str, tmp_path: Path) -> None:
    """The sentence alone, and once; the exit status is 1."""
    ended = run(TWIST, "labnet", "--config=lab.toml", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == f"labnet: cannot listen on {used}: Address already in use; free it or change the listener\n"


def test_a_daemon_says_of_a_used_port_to_its_shell(used: str, tmp_path: Path) -> None:
    """In the background too the shell is told what port and why, and the exit status is 1; the log has no traceback."""
    ended = run_to_the_daemons_end(TWISTD, *BACKGROUND, "labnet", "--config=lab.toml", cwd=tmp_path)
    assert ended.returncode == 1
    assert f"cannot listen on {used}: Address already in use" in ended.stderr
    log = (tmp_path / "lab.log").read_text()
    assert f"cannot listen on {used}: Address already in use" in log
    assert not trouble(ended.stdout + ended.stderr + log)
    assert not (tmp_path / "lab.pid").exists()


@pytest.fixture
def wrong(tmp_path: Path) -> list[str]:
    """A configuration in ``tmp_path`` with much wrong in it, and where each fault is to be shown."""
    (tmp_path / "lab.toml").write_text(WRONG)
    (tmp_path / "bad.txt").write_text("www.biu.ac.il,1.2.3.4,180\nwww.ynet.co.il\nwww.cut.example,1.2.3.4,soon\n")
    (tmp_path / "worse.txt").write_text("www.biu.ac.il\n")
    keys = ["command.clients", "command.listen.0", "command.time_out", "resolver.main.dialect", "resolver.other.listen"]
    places = [f"lab.toml: {key}" for key in keys] + ["missing.txt", "bad.txt:2", "bad.txt:3", "worse.txt:1"]
    return [f"labnet: {tmp_path}/{place}: " for place in places]


@pytest.mark.parametrize("mode", [("-n", "--pidfile=lab.pid"), BACKGROUND], ids=["foreground", "background"])
def test_a_wrong_configuration_shows_every_fault_at_once(
    wrong: list[str], mode: tuple[str, ...], tmp_path: Path
) -> None:
    """One line for each fault with its file and key or line, exit status 1, no traceback, nothing left behind."""
    before = set(tmp_path.iterdir())
    ended = run(TWISTD, *mode, "labnet", "--config=lab.toml", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert_faults(ended.stderr, wrong)
    assert set(tmp_path.iterdir()) == before


def assert_faults(said: str, wrong: list[str]) -> None:
    """Each fault has one line, and there is no other line."""
    lines = said.splitlines()
    for start in wrong:
        assert [line.startswith(start) for line in lines].count(True) == 1, said
    assert len(lines) == len(wrong), said


def test_wrong_records_are_shown_with_their_lines(tmp_path: Path) -> None:
    """A missing file and each wrong line of another are all said at once."""
    (tmp_path / "bad.txt").write_text("www.biu.ac.il,1.2.3.4,180\nwww.ynet.co.il\nwww.cut.example,1.2.3.4,soon\n")
    (tmp_path / "lab.toml").write_text('[resolver.main]\nlisten="udp:0"\nrecords=["missing.txt", "bad.txt"]\n')
    ended = run(TWISTD, "-n", "--pidfile=", "labnet", "--config=lab.toml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    places = [f"labnet: {tmp_path}/{place}: " for place in ("missing.txt", "bad.txt:2", "bad.txt:3")]
    assert_faults(ended.stderr, places)
    assert run(LABNET, "check", "lab.toml", cwd=tmp_path).stderr == ended.stderr


def test_check_shows_the_same_without_starting(wrong: list[str], tmp_path: Path) -> None:
    """``labnet check FILE`` prints what the daemon would, and ends with 1 too."""
    checked = run(LABNET, "check", "lab.toml", cwd=tmp_path)
    assert (checked.returncode, checked.stdout) == (1, "")
    assert_faults(checked.stderr, wrong)
    assert checked.stderr == run(TWISTD, "-n", "--pidfile=", "labnet", "--config=lab.toml", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("labnet-resolver", "1199", "-1", "-1"), "wants PORT PARENT_IP PARENT_PORT RECORDS_FILE"),
        (("labnet-resolver", "1199", "-1", "-1", "missing.txt"), "missing.txt: there is no such file"),
        (("labnet-resolver", "port", "nowhere", "x", "missing.txt"), "PARENT_IP PARENT_PORT: "),
        (("labnet-command", "--clients", "many", "--timeout=-1"), "labnet: --timeout: "),
        (("labnet-command", "--listen", "carrier:pigeon"), "labnet: --listen: "),
        (("labnet", "--config", "missing.toml"), "missing.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_a_fault(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """The option or argument is named, the exit status is 1, and there is no traceback."""
    ended = run(TWISTD, "-n", "--pidfile=", *arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert says in ended.stdout + ended.stderr
    assert not trouble(ended.stdout + ended.stderr)
