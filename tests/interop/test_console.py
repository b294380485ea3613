"""The console of a real daemon: its pages, its logs, and clients that try to forge a line of them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.query

from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment
from tests.interop.plain import Address, connect, ended, greeted, resolve

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[[^\]]*\] .*")
"""How twistd begins a line of the log."""

FORGED = "2023-10-01T13:33:03+0000 [labnet#info] FORGED"
HOSTILE = (
    f"a\n{FORGED}".encode(),
    f"b\r\n{FORGED}\x1b[2K\x1b]0;x\x07".encode(),
    f"c\u2028{FORGED}\u2029\x85\x0b\x0c".encode(),
    f"d\u202e\u2066{FORGED}\u200f".encode(),
    b"e\xff\x9b31mFORGED\xed\xa0\x80",
    f'f"}}\n{{"event":"{FORGED}"}}'.encode(),
)

CONSOLE = """
[console]
listen = "tcp:0:interface=127.0.0.1"
log = "lab.json"
query_log = "queries.json"
control = "control.sock"
"""


def get(address: Address, path: str) -> tuple[int, bytes]:
    """The status and the body of a page."""
    try:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=DEADLINE) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def objects(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, each of which is one whole printable line."""
    text = path.read_text(encoding="ascii")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait until ``happened``."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, f"it did not come to this: {what}"
        time.sleep(0.02)


def hostile_queries(number: int) -> list[bytes]:
    """DNS queries whose name has the bytes of a hostile text."""
    labels = [HOSTILE[number][at : at + 63] for at in range(0, len(HOSTILE[number]), 63)]
    name = dns.name.Name([*labels, b""])
    return [dns.message.make_query(name, rrtype).to_wire() for rrtype in ("A", "MX")]


def test_no_client_forges_a_line_of_any_log(tmp_path: Path) -> None:
    """Names of both protocols, a parent's replies, commands and HTTP requests are one line wherever they are logged."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as parent:
        parent.bind(("127.0.0.1", 0))
        parent.settimeout(DEADLINE)
        lab = CONSOLE + '[command]\nlisten = "tcp:0:interface=127.0.0.1"\n'
        for number in range(len(HOSTILE)):
            # Each says a failure at most once a second.
            lab += (
                f'[resolver.dns{number}]\nlisten = "udp:0:interface=127.0.0.1"\nparent_tries = 1\n'
                f'parents = "dns:127.0.0.1:{parent.getsockname()[1]}"\nparent_timeout = 0.1\n'
                f'[resolver.course{number}]\nlisten = "udp:0:interface=127.0.0.1"\nparent_tries = 1\n'
                f'parents = "text:127.0.0.1:{parent.getsockname()[1]}"\nparent_timeout = 0.5\n'
            )
        (tmp_path / "lab.toml").write_text(lab)
        with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
            pages, server = daemon.address("console"), daemon.address("command server")
            for number, text in enumerate(HOSTILE):
                course = daemon.address(f"resolver course{number}")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(DEADLINE)
                    client.sendto(b"name" + text.replace(b"\n", b"\r"), course)
                    client.sendto(b"www.lab.test", course)
                    client.sendto(b"www" + text, course)
                    while True:
                        question, asker = parent.recvfrom(65535)
                        if question == b"www.lab.test":
                            break
                    parent.sendto(b"[" + text, asker)  # a reply that is none
                    parent.sendto(text, asker)
                    client.recvfrom(65535)
                udp, tcp = hostile_queries(number)
                resolver = daemon.address(f"resolver dns{number}")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(DEADLINE)
                    client.sendto(udp, resolver)
                    assert client.recvfrom(65535)[0][:2] == udp[:2]
                with connect(resolver) as stream:
                    stream.sendall(len(tcp).to_bytes(2, "big") + tcp)
                    stream.shutdown(socket.SHUT_WR)
                    assert ended(stream)
                with greeted(server) as session:
                    session.sendall(text + b"\n")
                    session.shutdown(socket.SHUT_WR)
                    ended(session)
                one_line = text.replace(b"\r", b"").replace(b"\n", b"")
                for request in (
                    b"GET /" + text + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET /metrics HTTP/1.0\r\nX: " + one_line + b"\r\nUser-Agent: " + text + b"\r\n\r\n",
                    one_line + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + one_line + b"\r\n\r\n",
                ):
                    with connect(pages) as web:
                        web.sendall(request)
                        web.shutdown(socket.SHUT_WR)
                        ended(web)
            until(lambda: (tmp_path / "var/queries.json").exists(), "the query log is written")
    log = daemon.log
    for line in log.splitlines():
        assert LINE.fullmatch(line), f"forged or broken: {line!r}"
        assert line.isprintable(), repr(line)
    assert log.lower().count("forged") >= len(HOSTILE), log
    told = objects(tmp_path / "var/lab.json")
    assert {one["event"] for one in told} >= {"lab.listens", "resolver.not-resolved", "parent.no-answer"}
    assert not any("FORGED" in one["event"] + one["namespace"] for one in told)
    assert all(value.isprintable() for one in told for value in (one["message"], *map(str, one["fields"].values())))
    assert sum("forged" in one["message"].lower() for one in told) >= len(HOSTILE)
    asked = objects(tmp_path / "var/queries.json")
    assert all(one["name"].isprintable() for one in asked)
    assert {one["transport"] for one in asked if "forged" in one["name"].lower()} == {"udp", "tcp"}


APPLICATION = """
from twisted.application.internet import TCPServer, UDPServer
from twisted.application.service import Application, Service
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.logger import Logger, globalLogPublisher
from twisted.python import log as legacy
from labnet.console.logs import Logs

class Careless:
    log = Logger()

    def tell(self, data):
        text = data.decode("utf-8", "surrogateescape")
        self.log.info("{text}", text=text, event="test.told")
        self.log.warn("asked: " + text.replace("{", "{{").replace("}", "}}"), event="test.told")
        legacy.msg(text, system=text)
        print(text)
        try:
            raise KeyError(text)
        except KeyError:
            self.log.failure("{text}", text=text, event="test.failed")
            legacy.err(None, text)
        raise ValueError(text)

class Datagrams(Careless, DatagramProtocol):
    def datagramReceived(self, data, address):
        self.tell(data)

class Logged(Service):
    def startService(self):
        Logs(globalLogPublisher, "lab.json").open()

application = Application("careless")
Logged().setServiceParent(application)
UDPServer(PORT, Datagrams(), interface="127.0.0.1").setServiceParent(application)
"""


def test_not_even_a_careless_program_lets_a_line_be_forged(tmp_path: Path) -> None:
    """In twistd's own log file, whatever is logged raw, printed, or raised with a client's bytes in it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        application = APPLICATION.replace("PORT", str(address[1])).replace(
            '"lab.json"', repr(str(tmp_path / "lab.json"))
        )
        (tmp_path / "careless.tac").write_text(application)
        log = tmp_path / "twistd.log"
        twistd = subprocess.Popen(
            [TWISTD, "-n", "--pidfile=", f"--logfile={log}", "-y", "careless.tac"], cwd=tmp_path, env=environment()
        )
        try:
            until(lambda: log.exists() and "Datagrams starting on" in log.read_text(), "it listens")
            for text in HOSTILE:
                client.sendto(text, address)
            until(lambda: log.read_text().count("builtins.ValueError: ") == len(HOSTILE), "all of them arrived")
        finally:
            twistd.terminate()
            twistd.wait(DEADLINE)
    text = log.read_bytes().decode("utf-8")
    for line in text.splitlines():
        assert LINE.fullmatch(line) or line.startswith("\t"), f"forged or broken: {line!r}"
        assert line.replace("\t", "").isprintable(), repr(line)
    begun = [line for line in text.splitlines() if "FORGED" in line and not line.startswith("\t")]
    assert len(begun) == 6 * len(HOSTILE), "\n".join(begun)
    told = objects(tmp_path / "lab.json")
    assert sum(one["event"] == "test.failed" for one in told) == len(HOSTILE)
    assert all(one["message"].isprintable() for one in told)
    assert all(line.isprintable() for one in told for line in one.get("traceback", ()))


def test_the_pages_show_what_was_asked(tmp_path: Path) -> None:
    """After some questions the metrics have them, promtool finds nothing wrong, and the query log has each."""
    (tmp_path / "ips.txt").write_text("www.lab.test,192.0.2.1,60\n")
    (tmp_path / "lab.toml").write_text(
        CONSOLE + '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "ips.txt"\n'
    )
    with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        pages, resolver = daemon.address("console"), daemon.address("resolver main")
        for _ in range(3):
            assert b"192.0.2.1" in resolve(resolver, "www.lab.test")
            query = dns.message.make_query("www.lab.test", "A")
            assert dns.query.udp(query, resolver[0], DEADLINE, resolver[1]).answer
            assert dns.query.tcp(query, resolver[0], DEADLINE, resolver[1]).answer
        assert json.loads(get(pages, "/health")[1]) == {"status": "ok", "reasons": []}
        assert get(pages, "/ready")[0] == 200
        status, page = get(pages, "/metrics")
        assert status == 200
        counted = re.findall(r'^labnet_queries_total\{.*protocol="(\w+)".*\} (\S+)$', page.decode(), re.MULTILINE)
        assert sum(float(value) for _, value in counted) == 9
        assert {protocol for protocol, _ in counted} == {"dns", "json"}
        assert re.search(rb"^process_resident_memory_bytes [1-9]", page, re.MULTILINE)
        assert re.search(rb"^labnet_reactor_lag_seconds ", page, re.MULTILINE)
        promtool = shutil.which("promtool")
        assert promtool is not None, "promtool is not there: apt-get install prometheus"
        checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=DEADLINE)
        assert (checked.returncode, checked.stderr) == (0, b""), checked.stderr.decode()
    asked = objects(tmp_path / "var/queries.json")
    assert len(asked) == 9
    assert {(one["name"], one["type"], one["client"]) for one in asked} == {("www.lab.test", "A", "127.0.0.1")}
    assert all(0 <= one["milliseconds"] < 60_000 and one["source"] in ("records", "ready") for one in asked)


def test_rotated_logs_are_written_on(tmp_path: Path) -> None:
    """After a rename of both files new lines are in new files of the old names, and none is lost."""
    (tmp_path / "ips.txt").write_text("www.lab.test,192.0.2.1,60\n")
    (tmp_path / "lab.toml").write_text(
        CONSOLE + '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "ips.txt"\n'
    )
    var = tmp_path / "var"
    with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        resolver = daemon.address("resolver main")
        resolve(resolver, "www.lab.test")
        until((var / "queries.json").exists, "the query log is written")
        (var / "queries.json").rename(var / "queries.1")
        (var / "lab.json").rename(var / "lab.1")
        resolve(resolver, "www.lab.test")
    assert len(objects(var / "queries.1")) == len(objects(var / "queries.json")) == 1
    assert any(one["event"] == "lab.listens" for one in objects(var / "lab.1"))
    assert objects(var / "lab.json")


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """A folder in the way of each log is said once for each; /health tells of it; questions are answered."""
    (tmp_path / "ips.txt").write_text("www.lab.test,192.0.2.1,60\n")
    (tmp_path / "lab.toml").write_text(
        CONSOLE + '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "ips.txt"\n'
    )
    for name in ("lab.json", "queries.json"):
        (tmp_path / "var" / name).mkdir(parents=True)
    with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        pages, resolver = daemon.address("console"), daemon.address("resolver main")
        for _ in range(3):
            assert b"192.0.2.1" in resolve(resolver, "www.lab.test")
        daemon.wait_for(r"cannot write \S+queries\.json: Is a directory")
        health = json.loads(get(pages, "/health")[1])
        assert health["status"] == "degraded"
        assert len(health["reasons"]) == 2
        (tmp_path / "var/queries.json").rmdir()
        resolve(resolver, "www.lab.test")
        daemon.wait_for(r"queries\.json is written again; 3 line\(s\) were lost")
    assert daemon.log.count("cannot write") == 2


def test_a_lab_that_is_stopping_is_not_ready(tmp_path: Path) -> None:
    """While the last question waits for its answer /ready is 503 and /health 200; then the process ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as parent:
        parent.bind(("127.0.0.1", 0))
        (tmp_path / "lab.toml").write_text(
            CONSOLE + f'[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nparent_timeout = 30\n'
            f'parents = "text:127.0.0.1:{parent.getsockname()[1]}"\n[lab]\ngrace = 60\n'
        )
        with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
            pages, resolver = daemon.address("console"), daemon.address("resolver main")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(DEADLINE)
                client.sendto(b"www.lab.test", resolver)
                question, asker = parent.recvfrom(65535)
                assert get(pages, "/ready") == (200, b'{"ready": true, "reasons": []}\n')
                daemon.process.terminate()
                until(lambda: get(pages, "/ready")[0] == 503, "it is not ready any more")
                assert get(pages, "/health")[0] == 200
                parent.sendto(b"www.lab.test,192.0.2.1,60", asker)
                assert b"192.0.2.1" in client.recvfrom(65535)[0]
            assert daemon.process.wait(DEADLINE) == -15
    assert question == b"www.lab.test"


def test_a_missing_package_is_said_before_anything_runs(tmp_path: Path) -> None:
    """Without txredisapi a shared cache is refused in one sentence, which ``labnet check`` shows too."""
    (tmp_path / "lab.toml").write_text(
        '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\n[shared]\nurl = "redis://127.0.0.1"\n'
    )
    hide = "import sys, importlib.util as u; f = u.find_spec\n"
    hide += "u.find_spec = lambda name, *more: None if name == 'txredisapi' else f(name, *more)\n"
    says = f"labnet: {tmp_path}/lab.toml: shared: needs txredisapi, which is not there: "
    for start in (
        "from labnet.cli import main; sys.exit(main(['check', 'lab.toml']))",
        "from twisted.scripts.twistd import run; sys.argv[1:] = "
        "['-n', '--pidfile=', 'labnet', '--config', 'lab.toml']; run()",
    ):
        ran = subprocess.run(
            [sys.executable, "-c", hide + start],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith(says)
        assert ran.stderr.endswith("[shared]'\n")
