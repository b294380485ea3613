"""The control socket of a real lab, and the commands that use it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment

LABNET = str(Path(TWISTD).with_name("labnet"))

CONFIG = """
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0"
records = "ips.txt"
parents = "dns:127.0.0.1:9"
parent_timeout = 0.2
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[Daemon, Path]]:
    (tmp_path / "labnet.toml").write_text(CONFIG)
    (tmp_path / "ips.txt").write_text("own.test,192.0.2.1,60\n")
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        daemon.address("resolver main")
        yield daemon, tmp_path


def labnet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [LABNET, *arguments, "--config", "labnet.toml"]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=DEADLINE)


def test_the_socket_is_its_owners_and_goes_with_the_lab(lab: tuple[Daemon, Path]) -> None:
    """The socket has mode 0600, garbage on it is answered, and at the end it is gone."""
    daemon, folder = lab
    path = folder / "var/control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n\x00\xff\n" + b'{"do": "flush"}\n')
        lines = sock.makefile("rb")
        replies = [json.loads(lines.readline()) for _ in range(4)]
        assert [reply["ok"] for reply in replies] == [False] * 4
        assert replies[3]["error"] == "the request has no name"
    daemon.stop()
    assert not path.exists()


def test_a_second_lab_is_refused_and_a_dead_ones_socket_is_not(lab: tuple[Daemon, Path]) -> None:
    """The socket of a lab that runs is an error in one line; that of one that was killed is taken over."""
    daemon, folder = lab
    command = [TWISTD, "-n", "--pidfile=", "labnet", "--config", "labnet.toml"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1
    says = r"labnet: \S+/var/control.sock is the control socket of another lab that runs: .* \[lab\] `state` or .*\n"
    assert re.fullmatch(says, done.stderr)
    daemon.kill()
    with Daemon("labnet", "--config", "labnet.toml", cwd=folder) as again:
        again.address("resolver main")
        assert labnet(folder, "flush", "a.test").returncode == 0


def test_no_lab_and_no_permission(lab: tuple[Daemon, Path]) -> None:
    """Where no lab runs, or somebody else's, it is one sentence and status 2."""
    daemon, folder = lab
    if os.geteuid() == 0:
        folder.chmod(0o755)
        for above in folder.parents[: len(folder.parents) - 2]:
            above.chmod(above.stat().st_mode | 0o011)
        script = (
            "import os, sys, labnet.console.asking, labnet.console.cli; from labnet.cli.program import run\n"
            "os.setgid(65534); os.setuid(65534); sys.exit(run())"
        )
        command = [sys.executable, "-c", script, "reload", "--socket", str(folder / "var/control.sock")]
        # As that user the measuring of coverage could not write down what it saw.
        env = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
        done = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 2, done.stderr
        assert re.fullmatch(r"labnet: no permission to open \S+: only the user .*\n", done.stderr)
    daemon.stop()
    gone = labnet(folder, "status", "--json")
    assert gone.returncode == 2
    assert re.fullmatch(r"labnet: no lab runs here: nobody listens at \S+/var/control.sock; .*\n", gone.stderr)


def test_reload_says_what_check_says(lab: tuple[Daemon, Path]) -> None:
    """A reload of a wrong configuration prints what labnet check does, with status 1; a right one is taken."""
    _, folder = lab
    (folder / "labnet.toml").write_text(CONFIG + "[lab\n")
    wrong = labnet(folder, "reload")
    checked = subprocess.run([LABNET, "check", "labnet.toml"], cwd=folder, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (1, "", checked.stderr)
    (folder / "labnet.toml").write_text(CONFIG)
    right = labnet(folder, "reload")
    assert (right.returncode, right.stdout, right.stderr) == (0, "reloaded\n", "")


def test_json_for_programs(lab: tuple[Daemon, Path]) -> None:
    """As JSON the status has the listeners and the rates, and standard error is empty."""
    daemon, folder = lab
    done = labnet(folder, "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    status = json.loads(done.stdout)
    host, port = daemon.address("resolver main")
    assert f"{host}:{port}" in [listener for service in status["services"] for listener in service["listeners"]]
    assert status["rates"]["main"]["queries_per_second"] == 0


def test_the_page_in_a_pipe_needs_no_textual(lab: tuple[Daemon, Path]) -> None:
    """It is an extra; the page is plain text there, with what is wrong first."""
    _, folder = lab
    program = "import sys; sys.modules['textual'] = None; from labnet.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "status", "--config", "labnet.toml"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert re.search(r"(?m)^main +running ", done.stdout), done.stdout


def of_terminal() -> None:
    """Be a process of the terminal that standard input is, with the Ctrl-C that a shell in the background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


RATE = re.compile(r"main +\S.* +[1-9]\d* +100% ")
"""The row of the resolver, once its rate is shown."""


def plain(shown: bytes) -> str:
    """What a terminal was sent, without what moves its cursor and colours; each piece is a line."""
    return re.sub(r"(?:\x1b\[[0-9;:?<=>]*[a-zA-Z])*\x1b\[\d+;\d+H", "\n", re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()))


def test_the_page_in_a_terminal(lab: tuple[Daemon, Path]) -> None:
    """In a terminal of 100 columns the screen shows services and rates until Ctrl-C, and leaves no trace."""
    daemon, folder = lab
    host, port = daemon.address("resolver main")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        [LABNET, "status", "--config", "labnet.toml"],
        cwd=folder,
        env=environment(TERM="xterm-256color"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=of_terminal,
    )
    os.close(slave)
    shown = b""
    until = time.monotonic() + DEADLINE
    query = dns.message.make_query("own.test", "A")
    typed = False
    while process.poll() is None and time.monotonic() < until:
        dns.query.udp(query, host, DEADLINE, port)
        while select.select([master], [], [], 0.05)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
        if RATE.search(plain(shown)) and not typed:
            os.write(master, b"\x03")
            typed = True
    os.close(master)
    assert process.wait(DEADLINE) == 0
    assert shown.count(b"\x1b[?1049h") == shown.count(b"\x1b[?1049l") == 1
    page = plain(shown)
    assert "Traceback" not in page
    listens = "command: listens on {}:{}".format(*daemon.address("command server"))
    for expected in ("labnet ", listens, "queries/s", "Parents 1"):
        assert expected in page, page
