"""``labnet run`` and ``make run``: the lab in a terminal, and the ways in which it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labnet.console.asking import Control
from labnet.console.control import ControlError
from tests.interop.daemon import DEADLINE, Daemon, environment
from tests.interop.plain import greeted, line, rest
from tests.interop.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]

RUN = (sys.executable, "-c", "import sys; from labnet.daemon.foreground import run; sys.exit(run(*sys.argv[1:]))")

LAB = '[command]\nlisten = "tcp:0:interface=127.0.0.1"\n[resolver.main]\nlisten = "udp:0"\n{}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab.toml").write_text(LAB.format(""))
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_a_signal_and_ends_with_status_0(number: signal.Signals, folder: Path) -> None:
    """Its log has the time of day and no word of Twisted's own."""
    with Daemon("lab.toml", cwd=folder, command=RUN, switches=()) as daemon:
        with greeted(daemon.address("command server")) as sock:
            sock.send(b"TIME\n")
            assert len(line(sock)) == 25
            daemon.process.send_signal(number)
            assert rest(sock) == b"The server is closing\n"
        assert daemon.wait() == 0
    assert all(said[:8].count(":") == 2 for said in daemon.log.splitlines())
    assert "twisted" not in daemon.log
    assert "Port" not in daemon.log


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_by_the_control_socket_returns_when_the_process_is_gone(workers: int, folder: Path) -> None:
    """What is in flight is finished; who asks afterwards is told that no lab runs."""
    (folder / "lab.toml").write_text(LAB.format(f"[lab]\nworkers = {workers}\n"))
    socket = str(folder / "var/control.sock")
    with Daemon("lab.toml", cwd=folder, command=RUN, switches=()) as daemon:
        with greeted(daemon.address("command server")) as sock:
            with Control(socket) as control:
                control.stop()
            assert daemon.process.wait(0.5) == 0
            assert rest(sock) == b"The server is closing\n"
        daemon.wait()
    with pytest.raises(ControlError, match="no lab runs here"):
        Control(socket)


def test_what_is_wrong_is_a_sentence_and_status_1(folder: Path) -> None:
    """In the configuration, and in what is to listen."""

    def run(path: str) -> tuple[int, str]:
        ran = subprocess.run((*RUN, path), cwd=folder, env=environment(), capture_output=True, timeout=DEADLINE)
        return ran.returncode, ran.stderr.decode()

    (folder / "wrong.toml").write_text("[command]\nclients = -1\n")
    says = f"labnet: {folder}/wrong.toml: command.clients: must be greater than or equal to 0, not -1\n"
    assert run("wrong.toml") == (1, says)
    with Daemon("lab.toml", cwd=folder, command=RUN, switches=()) as daemon:
        _, port = daemon.address("command server")
        (folder / "other.toml").write_text(f'[command]\nlisten = "tcp:{port}:interface=127.0.0.1"\n')
        says = f"labnet: cannot listen on tcp:{port}:interface=127.0.0.1: Address already in use; free it or change "
        assert run("other.toml") == (1, f"{says}the listener\n")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0


def test_make_run_ends_quietly_on_ctrl_c(folder: Path) -> None:
    """make says nothing of an error: a lab that is stopped has done what it should."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), "-o", ".venv/run", "run"]
    config = f"LABNET_CONFIG={folder}/lab.toml"
    with Terminal(["env", config, f"STATE_DIRECTORY={folder}/var", *command]) as terminal:
        terminal.read_to(b"resolver main listens on")
        terminal.interrupt()
        shown = terminal.read_to_end()
    assert b"***" not in shown, shown


def test_a_signal_during_the_start_ends_it_as_one_after_it(folder: Path) -> None:
    """Twice, as by a student who does not wait: the lab is closed in order, with status 0."""
    started = "from labnet.daemon.service import LabService as Lab; start = Lab.startService"
    twice = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    impatient = f"import os, signal, sys; {started}\ndef started(lab): start(lab); {twice}\nLab.startService = started"
    run = "from labnet.daemon.foreground import run; sys.exit(run(*sys.argv[1:]))"
    with Daemon("lab.toml", cwd=folder, command=(sys.executable, "-c", f"{impatient}\n{run}"), switches=()) as daemon:
        assert daemon.wait() == 0
    assert not (folder / "var/control.sock").exists()
