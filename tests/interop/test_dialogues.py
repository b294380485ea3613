"""``labnet command`` and ``labnet resolve`` as people and scripts run them, against real servers."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment
from tests.interop.plain import Address, greeted
from tests.interop.terminal import Terminal

LABNET = str(Path(TWISTD).with_name("labnet"))
PROMPT = b"(TIME or EXIT):"
READS = b"\x1b[?2004h"
"""What a terminal is told when a line is about to be read: to mark what is pasted."""
LAST = b"Press Enter to exit from the console..."


@contextmanager
def datagrams(reply: Callable[[bytes], bytes]) -> Iterator[Address]:
    """A UDP server on loopback that answers each datagram with what ``reply`` makes of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (received := sock.recvfrom(2000))[0] != b"":
                sock.sendto(reply(received[0]), received[1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield sock.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", sock.getsockname())
        thread.join(DEADLINE)


@contextmanager
def polite(closes: threading.Event | None = None) -> Iterator[Address]:
    """A command server for one client: it greets, answers ``EXIT`` by ``Bye``, and then closes, as on ``closes``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.sendall(b"hello\n")
                if closes is not None:
                    closes.wait(DEADLINE)
                    return
                while (command := connected.recv(1024)) not in (b"", b"EXIT"):
                    connected.sendall(b"no " + command + b"\n")
                connected.sendall(b"Bye\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()
        thread.join(DEADLINE)


def free_port() -> int:
    """A port of both protocols on which nobody listens, bound and closed again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        return int(udp.getsockname()[1])


def labnet(*arguments: str, typed: str = "") -> tuple[int, str, str]:
    """The exit status, standard output and standard error, with ``typed`` piped in."""
    command = [LABNET, *arguments]
    done = subprocess.run(command, env=environment(), input=typed, capture_output=True, text=True, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr


def dialogue(folder: Path, *arguments: str) -> Terminal:
    """A dialogue of a person in a terminal that can do all, with ``folder`` as its home."""
    env = environment(TERM="xterm", HOME=str(folder), PROMPT_TOOLKIT_NO_CPR="1")
    env.pop("XDG_STATE_HOME", None)
    return Terminal([LABNET, *arguments], env)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A command server that closes after 15 s, as the assignment has it, and one resolver."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\nopaque.test,21.09.1992,60\n")
    (folder / "lab.toml").write_text(
        '[command]\nlisten = "tcp:0:interface=127.0.0.1"\nclients = 0\n'
        '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "ips.txt"\nzones = ["biu.ac.il", "test"]\n'
    )
    with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        yield daemon


@pytest.fixture
def resolver(daemon: Daemon) -> tuple[str, str]:
    host, port = daemon.address("resolver main")
    return host, str(port)


def test_the_servers_close_is_shown_when_it_happens_and_why(tmp_path: Path) -> None:
    """While half a command is typed, and before Enter is."""
    closes = threading.Event()
    with polite(closes) as server, dialogue(tmp_path, "command", *map(str, server)) as terminal:
        terminal.read_to(PROMPT)
        terminal.type(b"TIM")
        terminal.read_to(b"TIM")
        closes.set()
        terminal.read_to(b"labnet: the server closed the connection ")
        assert b" s after the connection was opened: it " in terminal.read_to(LAST)
        terminal.type(b"\r")
        assert terminal.wait() == 0


def test_an_answered_exit_goes_to_the_last_prompt(tmp_path: Path) -> None:
    """In a terminal and in a pipe; Tab completes the command in the one."""
    with polite() as server, dialogue(tmp_path, "command", *map(str, server)) as terminal:
        terminal.read_to(PROMPT)
        terminal.type(b"E\t\r")
        terminal.read_to(b"Server Response: Bye")
        terminal.read_to(LAST)
        terminal.type(b"\r")
        assert terminal.wait() == 0
    with polite() as server:
        status, out, err = labnet("command", *map(str, server), typed="EXIT\n\n")
    start = "MESSAGE!!! ----> "
    assert (status, err) == (0, "")
    assert out == (
        f"{start}Server Message: hello\n{start}Please enter a command (TIME or EXIT): {start}Server Response: Bye\n"
        f"{start}Press Enter to exit from the console..."
    )


def test_history_outlives_the_run(daemon: Daemon, tmp_path: Path) -> None:
    """Arrow up gives the last command of the run before, from a file that nobody else may read."""
    server = [*map(str, daemon.address("command server"))]
    with dialogue(tmp_path, "command", *server) as terminal:
        terminal.read_to(PROMPT)
        terminal.type(b"HELLO\r")
        terminal.read_to(b"Server Response: Invalid command!")
        terminal.read_to(PROMPT)
        terminal.type(b"\x04")
        assert terminal.wait() == 0
    history = tmp_path / ".local/state/labnet/command.history"
    assert history.read_text() == "HELLO\n"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with dialogue(tmp_path, "command", *server) as terminal:
        terminal.read_to(PROMPT)
        terminal.type(b"\x1b[A\r")
        terminal.read_to(b"Server Response: Invalid command!")
        terminal.read_to(PROMPT)
        terminal.type(b"\x03")
        assert terminal.wait() == 0
    assert history.read_text() == "HELLO\n"


def test_a_name_is_completed_by_what_was_asked_before(resolver: tuple[str, str], tmp_path: Path) -> None:
    """In the next run too; the answers are those of ever."""
    for typed in b"www.biu.ac.il\r", b"www.\t\r":
        with dialogue(tmp_path, "resolve", *resolver) as terminal:
            terminal.read_to(READS)
            terminal.type(typed)
            terminal.read_to(b"1.2.3.4\r\n")
            terminal.read_to(READS)
            terminal.type(b"\x04")
            assert terminal.wait() == 0


def test_a_server_that_serves_another_keeps_us_waiting_and_that_is_told(tmp_path: Path) -> None:
    """A script gives up; a person is greeted when it is their turn."""
    with Daemon("labnet-command", "--listen=tcp:0:interface=127.0.0.1", cwd=tmp_path) as daemon:
        address = daemon.address("command server")
        where = [*map(str, address), "--timeout", "0.5"]
        with greeted(address) as other, dialogue(tmp_path, "command", *where) as terminal:
            terminal.read_to(b"a server that serves one client at a time")
            status, out, err = labnet("command", *where, "TIME")
            assert (status, out) == (2, "")
            assert err.endswith(
                "nor a greeting: a server that serves one client at a time keeps others waiting until that one leaves\n"
            )
            other.close()
            terminal.read_to(b"Server Message: Connected: your IP address is 127.0.0.1")


def test_a_pipe_gets_what_it_always_got(daemon: Daemon, resolver: tuple[str, str]) -> None:
    """To the byte; and prompt_toolkit is not imported for it."""
    prompt = "Type your web address and get its ip address:\n"
    status, out, err = labnet("resolve", *resolver, typed="www.biu.ac.il\n\nnope.test\n")
    assert (status, err) == (0, "")
    assert out == f"trying to connect to server...\n{prompt}1.2.3.4\n{prompt * 2}not found\n{prompt}\n"
    for arguments in (["command", *map(str, daemon.address("command server"))], ["resolve", *resolver]):
        program = f"import sys; from labnet.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, env=environment(), input="TIME\n", capture_output=True, text=True, timeout=DEADLINE
        )
        assert "labnet.clients.lines" in done.stderr
        assert "prompt_toolkit" not in done.stderr


@pytest.mark.parametrize("how", [[], ["--dns"], ["--tcp"]], ids=["course", "dns", "tcp"])
def test_a_port_on_which_nobody_listens_is_said_at_once(how: list[str]) -> None:
    """One try's time would outlast the test's."""
    port = str(free_port())
    status, out, err = labnet("resolve", *how, "--timeout", "3600", "127.0.0.1", port, "www.a")
    assert (status, out) == (2, "")
    assert err == f"labnet: www.a: no answer from 127.0.0.1 port {port}: Connection refused\n"


def test_a_reply_in_no_known_form_is_quoted_with_what_is_wrong_with_it() -> None:
    """By either protocol, at once."""
    for reply, says in (
        (b"hello world", "'hello world': the reply has 1 field(s), not 2 to 5"),
        (
            b"['www.a', '1.2.3.4']",
            "\"['www.a', '1.2.3.4']\": it is how Python prints a list or tuple; json.dumps makes",
        ),
    ):
        with datagrams(lambda _, reply=reply: reply) as server:
            where = [*map(str, server), "--timeout", "3600", "www.a"]
            for how, words in (
                ([], "sent a reply that cannot be read, "),
                (["--dns"], "answered what is no DNS message: "),
            ):
                status, out, err = labnet("resolve", *how, *where)
                assert (status, out) == (2, "")
                start = f"labnet: www.a: 127.0.0.1 port {server[1]} {words}"
                assert err.startswith(start + (says if not how else ""))


def test_another_names_answer_is_quoted_where_no_other_comes() -> None:
    """It is no answer to the question."""
    with datagrams(lambda _: b"www.b,6.6.6.6,60") as server:
        status, out, err = labnet("resolve", *map(str, server), "--timeout", "0.2", "--tries", "1", "www.a")
    assert (status, out) == (2, "")
    assert err.endswith(" in 1 tries of 0.2 s; it replied to another question: 'www.b,6.6.6.6,60'\n")


def test_no_such_name_no_such_record_and_a_refusal_are_told_apart(resolver: tuple[str, str]) -> None:
    """As DNS does."""
    for arguments, status, says in (
        (["nope.test"], 1, "not found: there is no such name (NXDOMAIN)"),
        (["www.biu.ac.il", "--type", "MX"], 1, "not found: the name has no record of type MX (NODATA)"),
        (["www.example.org"], 2, f"127.0.0.1 port {resolver[1]} says REFUSED"),
    ):
        found, _, err = labnet("resolve", "--dns", *resolver, *arguments)
        assert (found, err.startswith(f"labnet: {arguments[0]}: {says}")) == (status, True), err


def test_verbose_shows_each_datagram_both_ways_with_its_time(daemon: Daemon, resolver: tuple[str, str]) -> None:
    """On standard error; standard output is as without."""
    at = r"\d\d:\d\d:\d\d\.\d{6}"
    status, out, err = labnet("resolve", "-v", *resolver, "www.biu.ac.il")
    assert (status, out) == (0, "1.2.3.4\n")
    place = rf"127\.0\.0\.1 port {resolver[1]}"
    assert re.fullmatch(
        rf"{at} sent to {place}: 13 bytes by UDP\n    www\.biu\.ac\.il\n"
        rf'{at} received from {place}: \d+ bytes by UDP\n    \["www\.biu\.ac\.il", "1\.2\.3\.4", .*\]\n',
        err,
    ), err
    for how, name in (("--dns", "UDP"), ("--tcp", "TCP")):
        _, out, err = labnet("resolve", "-v", how, *resolver, "www.biu.ac.il")
        assert out == "1.2.3.4\n"
        assert re.search(rf"{at} sent to {place}: \d+ bytes by {name}\n", err), err
        assert "    www.biu.ac.il. 180 IN A 1.2.3.4\n" in err
    _, out, err = labnet("command", "-v", *map(str, daemon.address("command server")), "HELLO")
    assert out == "Invalid command!\n"
    assert "5 bytes by TCP\n    HELLO\n" in err
