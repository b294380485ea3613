"""A lab of two workers, as processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from labnet.console.asking import Control
from labnet.console.control import ControlError
from labnet.daemon.workers.orders import _free_number
from labnet.values.listeners import UDPListen
from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment
from tests.interop.plain import Address, greeted, rest
from tests.interop.test_start_stop import PASS

LABNET = str(Path(TWISTD).with_name("labnet"))

CONFIG = """
[lab]
workers = 2
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0"
records = "ips.txt"
parents = "dns:127.0.0.1:PARENT"
learned = "learned"
parent_timeout = 0.5
[console]
listen = "tcp:0:interface=127.0.0.1"
"""


def eventually(condition: Callable[[], Any]) -> Any:
    """What ``condition`` gives, as soon as that is something."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            found = condition()
        except ControlError:
            found = None
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it does not come")


def ask(folder: Path, do: str, **fields: Any) -> Any:
    with Control(str(folder / "var/control.sock")) as control:
        return control.ask(do, **fields)


def pids(folder: Path) -> list[int]:
    """The processes of both workers, once both serve."""

    def found() -> list[int]:
        status = ask(folder, "status")
        return [worker["pid"] for worker in status["workers"]] if all_up(status) else []

    return list(eventually(found))


def all_up(status: dict[str, Any]) -> bool:
    return all(worker["up"] for worker in status["workers"]) and bool(status["services"])


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and whose parent does not ask for it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def address_of(server: tuple[str, int], name: str) -> str:
    """What ``server`` says the address is, or its RCODE."""
    query = dns.message.make_query(name, "A")
    for tries_left in reversed(range(3)):
        try:
            reply = dns.query.udp(query, server[0], DEADLINE / 10, server[1])
            break
        except dns.exception.Timeout:  # it was in the socket of a worker that was killed
            assert tries_left
    found = [str(rdata) for rrset in reply.answer for rdata in rrset]
    return found[0] if found else dns.rcode.to_text(reply.rcode())


def labnet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [LABNET, *arguments, "--config", "labnet.toml"]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=DEADLINE)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon, Path]]:
    """A lab of two workers, its parent, and its folder."""
    upstream = tmp_path / "parent"
    upstream.mkdir()
    (upstream / "ips.txt").write_text("".join(f"host{n}.test,10.0.0.{n},3600\n" for n in range(1, 200)))
    (upstream / "labnet.toml").write_text('[resolver.parent]\nlisten = "udp:0"\nrecords = "ips.txt"\n')
    with Daemon("labnet", "--config", "labnet.toml", cwd=upstream) as parent:
        (tmp_path / "labnet.toml").write_text(CONFIG.replace("PARENT", str(parent.address("resolver parent")[1])))
        (tmp_path / "ips.txt").write_text("own.test,192.0.2.1,60\n")
        with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
            yield daemon, parent, tmp_path


def test_a_killed_worker_is_back_and_the_other_goes_on(lab: tuple[Daemon, Daemon, Path]) -> None:
    """A worker that is killed has another in its place, the other is the same process, and every query is answered."""
    daemon, _, folder = lab
    server = daemon.address("resolver main")
    first, second = pids(folder)
    os.kill(second, signal.SIGKILL)
    assert address_of(server, "own.test") == "192.0.2.1"
    assert eventually(lambda: ask(folder, "status")["workers"][1]["restarts"]) == 1
    now = pids(folder)
    assert now[0] == first
    assert now[1] != second
    assert {address_of(server, "own.test") for _ in range(30)} == {"192.0.2.1"}


def test_what_the_workers_are_forks_of_may_be_killed(lab: tuple[Daemon, Daemon, Path]) -> None:
    """The process that all workers are forks of has another in its place, with other workers."""
    daemon, _, folder = lab
    server = daemon.address("resolver main")
    before = pids(folder)
    os.kill(parent_of(before[0]), signal.SIGKILL)
    assert eventually(lambda: [w["restarts"] for w in ask(folder, "status")["workers"]] == [1, 1])
    eventually(lambda: not any(map(is_alive, before)))
    pids(folder)
    assert {address_of(server, "own.test") for _ in range(30)} == {"192.0.2.1"}


def test_what_one_learns_all_know(lab: tuple[Daemon, Daemon, Path]) -> None:
    """Without its parent, every worker answers what one of them learned, those that were started again as well."""
    daemon, parent, folder = lab
    server = daemon.address("resolver main")
    before = pids(folder)
    names = [f"host{number}.test" for number in range(1, 40)]
    learned = {name: address_of(server, name) for name in names}
    assert learned == {name: f"10.0.0.{number}" for number, name in enumerate(names, 1)}
    eventually(lambda: len([line for line in ask(folder, "dump", resolver="main") if " IN A " in line]) == len(names))
    parent.stop()
    # The random split brings each name to each worker sooner or later; a failure is kept for five seconds.
    assert {name: address_of(server, name) for _ in range(5) for name in names} == learned
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: [w["restarts"] for w in ask(folder, "status")["workers"]] == [1, 1])
    pids(folder)
    eventually(lambda: all(count_of(folder, number) >= len(names) for number in (1, 2)))
    assert {name: address_of(server, name) for _ in range(5) for name in names} == learned
    assert len(kept(folder)) == len(names)


def kept(folder: Path) -> list[str]:
    return (folder / "var/learned.dns").read_text().splitlines()


def count_of(folder: Path, number: int) -> int:
    """How many answers the worker has learned or been told."""
    with Control(str(folder / f"var/control.sock.{number}")) as control:
        return int(control.ask("status")["services"][-1]["cache"]["entries"])


def test_a_supervisor_that_is_killed(lab: tuple[Daemon, Daemon, Path]) -> None:
    """When the supervisor is killed its workers end, and what was answered before is known to the next lab."""
    daemon, parent, folder = lab
    server = daemon.address("resolver main")
    workers = pids(folder)
    assert address_of(server, "host7.test") == "10.0.0.7"
    eventually((folder / "var/learned.dns").exists)  # the first line comes a moment behind its answer
    loaded = parent_of(workers[0])
    daemon.kill()
    eventually(lambda: not any(map(is_alive, [*workers, loaded])))
    parent.stop()
    with Daemon("labnet", "--config", "labnet.toml", cwd=folder) as again:
        server = again.address("resolver main")
        pids(folder)
        eventually(lambda: all(count_of(folder, number) for number in (1, 2)))
        assert {address_of(server, "host7.test") for _ in range(10)} == {"10.0.0.7"}


def test_a_second_start_is_refused(lab: tuple[Daemon, Daemon, Path]) -> None:
    """A second lab on the same port says so in one line and ends with status 1, before it has a worker."""
    daemon, _, folder = lab
    port = daemon.address("resolver main")[1]
    other = folder / "other"
    other.mkdir()
    (other / "labnet.toml").write_text(f'[lab]\nworkers = 2\n[resolver.main]\nlisten = "udp:{port}"\n')
    command = [TWISTD, "-n", "--pidfile=", "labnet", "--config", "labnet.toml"]
    done = subprocess.run(command, cwd=other, env=environment(), capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1
    assert f"udp:{port}" in done.stderr
    assert "in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "worker" not in done.stdout


def test_a_worker_that_cannot_start(tmp_path: Path) -> None:
    """Where a worker cannot open its ports though they are free, the lab ends with that sentence and status 1."""
    (tmp_path / "labnet.toml").write_text(
        '[lab]\nworkers = 2\n[command]\nlisten = "unix:no/where"\n[resolver.main]\nlisten = "udp:0"\n'
    )
    command = [TWISTD, "-n", "--pidfile=", "labnet", "--config", "labnet.toml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1, done.stdout
    assert "cannot listen on unix:no/where" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout.count("cannot listen on") <= 2


def test_reload_reaches_every_worker(lab: tuple[Daemon, Daemon, Path]) -> None:
    """What is wrong is said as labnet check says it and changes nothing; what is right all workers take."""
    daemon, _, folder = lab
    server = daemon.address("resolver main")
    before = pids(folder)
    config = (folder / "labnet.toml").read_text()
    (folder / "labnet.toml").write_text(config.replace("records", "recrods"))
    wrong = labnet(folder, "reload")
    checked = subprocess.run([LABNET, "check", "labnet.toml"], cwd=folder, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stderr) == (1, checked.stderr)
    assert {address_of(server, "own.test") for _ in range(20)} == {"192.0.2.1"}
    (folder / "labnet.toml").write_text(config.replace("workers = 2", "workers = 3"))
    (folder / "ips.txt").write_text("own.test,192.0.2.2,60\n")
    right = labnet(folder, "reload")
    assert (right.returncode, right.stdout) == (0, "reloaded\n"), right.stderr
    assert {address_of(server, "own.test") for _ in range(30)} == {"192.0.2.2"}
    assert pids(folder) == before
    daemon.wait_for(r"workers is changed only by a restart")
    os.kill(before[0], signal.SIGKILL)
    (folder / "ips.txt").write_text("not a record\n")
    eventually(lambda: ask(folder, "status")["workers"][0]["restarts"])
    pids(folder)
    assert {address_of(server, "own.test") for _ in range(30)} == {"192.0.2.2"}
    (folder / "ips.txt").write_text("own.test,192.0.2.3,60\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: {address_of(server, "own.test") for _ in range(10)} == {"192.0.2.3"})


def test_every_worker_has_all_names_of_a_large_zone(tmp_path: Path) -> None:
    """From its start, after a reload, and after it was started again."""
    config = '[lab]\nworkers = 2\n[resolver.main]\nlisten = "udp:0"\nrecords = "zone:zone"\nzones = ["lab.test"]\n'
    (tmp_path / "labnet.toml").write_text(config)

    def write(network: int) -> dict[str, str]:
        """Some of the 3,000 names that the zone has now, with their addresses."""
        zone = {f"h{number}.lab.test": f"10.{network}.{number >> 8}.{number & 255}" for number in range(3000)}
        (tmp_path / "zone").write_text("".join(f"{name}. 60 IN A {address}\n" for name, address in zone.items()))
        return dict(list(zone.items())[::59])

    zone = write(1)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        server = daemon.address("resolver main")
        before = pids(tmp_path)
        assert {name: address_of(server, name) for name in zone} == zone
        zone = write(2)
        assert labnet(tmp_path, "reload").returncode == 0
        assert {name: address_of(server, name) for name in zone} == zone
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: ask(tmp_path, "status")["workers"][0]["restarts"])
        pids(tmp_path)
        assert {name: address_of(server, name) for name in zone} == zone


def test_flush_reaches_every_worker(lab: tuple[Daemon, Daemon, Path]) -> None:
    """A name that is flushed is known to no worker, nor to the next lab."""
    daemon, parent, folder = lab
    server = daemon.address("resolver main")
    pids(folder)
    assert address_of(server, "host7.test") == "10.0.0.7"
    eventually(lambda: all(count_of(folder, number) for number in (1, 2)))
    parent.stop()
    assert labnet(folder, "flush", "host7.test").stdout == "1 answer(s) forgotten\n"
    assert {address_of(server, "host7.test") for _ in range(10)} == {"SERVFAIL"}
    assert kept(folder) == []


def test_a_record_that_is_added_is_served_by_every_worker_until_a_reload(lab: tuple[Daemon, Daemon, Path]) -> None:
    """Also by one that is started again since, and by none after a reload."""
    daemon, _, folder = lab
    server = daemon.address("resolver main")
    before = pids(folder)
    done = ask(folder, "add", record="added.test 60 A 192.0.2.77")
    assert done == {"resolver": "main", "lines": ["added.test. 60 IN A 192.0.2.77"]}
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: set(before) - set(pids(folder)))
    found = ask(folder, "lookup", name="added.test", type="A")
    assert (found["status"], found["answer"]) == ("NOERROR", done["lines"])
    eventually(lambda: {address_of(server, "added.test") for _ in range(20)} == {"192.0.2.77"})  # by whichever worker
    assert ask(folder, "reload") == []
    assert ask(folder, "remove", name="added.test") == {"resolver": "main", "count": 0}


def test_exit_closes_for_good(lab: tuple[Daemon, Daemon, Path]) -> None:
    """The command server is one worker's; EXIT closes it, and a worker that is started again does not open it."""
    daemon, _, folder = lab
    address = daemon.address("command server")
    first, _ = pids(folder)
    with greeted(address) as client:
        client.sendall(b"EXIT\r\n")
        rest(client)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: ask(folder, "status")["workers"][0]["restarts"])
    pids(folder)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, DEADLINE)


def test_the_command_server_can_be_opened_again(lab: tuple[Daemon, Daemon, Path]) -> None:
    """Where its worker still runs, and where that was started again since the EXIT."""
    _, _, folder = lab
    pids(folder)
    for kills in False, True:
        with greeted(command_server(folder)) as client:
            client.sendall(b"EXIT\r\n")
            rest(client)
        eventually(lambda: "labnet command-server open" in labnet(folder, "reload").stderr)
        if kills:
            os.kill(pids(folder)[0], signal.SIGKILL)
            eventually(lambda: ask(folder, "status")["workers"][0]["restarts"])
            pids(folder)
        assert labnet(folder, "command-server", "open").stdout == "the command server is open\n"
    with greeted(command_server(folder)):
        assert labnet(folder, "command-server", "open").returncode == 1


def command_server(folder: Path) -> Address:
    """Where the command server listens, as soon as it does; a port that the system picks is another each time."""

    def found() -> str:
        services = ask(folder, "status")["services"]
        return "".join(where for service in services if service["name"] == "command" for where in service["listeners"])

    host, _, port = str(eventually(found)).rpartition(":")
    return host, int(port)


def queries(page: str) -> float:
    found = re.findall(r"^labnet_queries_total\{.*\} (\S+)$", page, re.MULTILINE)
    return sum(map(float, found))


def test_metrics_are_those_of_all(lab: tuple[Daemon, Daemon, Path]) -> None:
    """The page adds up what the workers counted, and no counter goes backwards when one is killed."""
    daemon, _, folder = lab
    server = daemon.address("resolver main")
    port = daemon.wait_for(r"\b(?:WebService|console|ConsoleSite)\b.* on (?:\S+:)?(\d+)")[1]

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE) as reply:
            text: str = reply.read().decode()
        return text

    workers = pids(folder)
    for _ in range(40):
        address_of(server, "own.test")
    first = page()
    assert queries(first) == 40
    each = [float(one) for one in re.findall(r"^labnet_worker_queries_total\{.*\} (\S+)$", first, re.MULTILINE)]
    assert sum(each) == 40
    assert min(each) > 0
    os.kill(workers[1], signal.SIGKILL)
    assert queries(page()) == 40
    eventually(lambda: 'labnet_worker_restarts_total{worker="2"} 1.0' in page())
    assert queries(page()) == 40


def test_the_end_of_all(lab: tuple[Daemon, Daemon, Path]) -> None:
    """SIGTERM ends every worker in order, and leaves neither process nor socket."""
    daemon, _, folder = lab
    workers = pids(folder)
    (loaded,) = set(map(parent_of, workers))
    assert parent_of(loaded) == daemon.process.pid
    daemon.stop()
    assert not any(map(is_alive, [*workers, loaded]))
    assert [path.name for path in (folder / "var").iterdir() if path.is_socket()] == []


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """Sockets that systemd passed are shared by the workers, one that is started again included."""
    number, held = _free_number(UDPListen(port=0, interface="127.0.0.1"))
    held.close()
    server = ("127.0.0.1", number)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as streams,
    ):
        datagrams.bind(server)
        streams.bind(server)
        streams.listen(10)
        (tmp_path / "labnet.toml").write_text(
            f'[lab]\nworkers = 2\n[resolver.main]\nlisten = "udp:{server[1]}"\nrecords = "ips.txt"\n'
        )
        (tmp_path / "ips.txt").write_text("own.test,192.0.2.1,60\n")
        numbers = [datagrams.fileno(), streams.fileno()]
        command = (sys.executable, "-c", PASS, "dns:dns", TWISTD)
        env = environment(TEST_FDS=",".join(map(str, numbers)))
        arguments = ("labnet", "--config", "labnet.toml")
        with Daemon(*arguments, cwd=tmp_path, command=command, env=env, pass_fds=numbers):
            workers = pids(tmp_path)
            assert {address_of(server, "own.test") for _ in range(20)} == {"192.0.2.1"}
            os.kill(workers[0], signal.SIGKILL)
            eventually(lambda: ask(tmp_path, "status")["workers"][0]["restarts"])
            pids(tmp_path)
            assert {address_of(server, "own.test") for _ in range(20)} == {"192.0.2.1"}
            reply = dns.query.tcp(dns.message.make_query("own.test", "A"), server[0], DEADLINE, server[1])
            assert len(reply.answer) == 1
