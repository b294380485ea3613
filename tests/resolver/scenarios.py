"""Reads and plays scenario files; tests/scenarios/README.md says how they are written."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from labnet.config.resolver import ResolverConfig
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.service import ResolverService, Surroundings
from tests.resolver.fakes import THIS_HOST, Address, Datagram, FakeReactor, FakeSocket

EPOCH = 1605280488.749312
"""When every scenario starts: the epoch second of the assignment's transcript."""

MOST_DATAGRAMS = 10_000
"""Datagrams between the resolvers of one scenario; more are a storm."""


class ScenarioError(Exception):
    """A line of a scenario file cannot be read."""


@dataclass
class Setup:
    """One resolver as its scenario describes it. ``files`` has a name's content: ``records``, ``learned``."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scenario:
    """A file, read: who is there, and the steps with their line numbers."""

    title: str = ""
    resolvers: dict[str, Setup] = field(default_factory=dict)
    parents: dict[str, Address] = field(default_factory=dict)
    steps: list[tuple[int, str]] = field(default_factory=list)


def unescape(text: str) -> bytes:
    """The bytes that ``text`` stands for: ASCII with the escapes of a Python bytes literal."""
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def parse(text: str) -> Scenario:
    """Read a scenario. Raises :class:`ScenarioError`."""
    scenario = Scenario()
    lines = text.split("\n")
    scenario.title = lines[0].removeprefix("#").strip()
    current = Setup("main")
    block: str | None = None
    for number, line in enumerate(lines, 1):
        if block is not None and line.startswith("    "):
            current.files[block] += unescape(line[4:]) + b"\n"
            continue
        block = None
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"resolver (\w+)", line):
            current = scenario.resolvers.setdefault(match[1], Setup(match[1]))
        elif match := re.fullmatch(r"(records|learned):", line):
            block = match[1]
            scenario.resolvers.setdefault(current.name, current).files[block] = b""
        elif match := re.fullmatch(r"parent (\w+) is at (\S+):(\d+)", line):
            scenario.parents[match[1]] = (match[2], int(match[3]))
        elif match := re.fullmatch(r"config (\w+ = .+)", line):
            scenario.resolvers.setdefault(current.name, current).config |= tomllib.loads(match[1])
        else:
            scenario.steps.append((number, line))
    if not scenario.steps or not scenario.title:
        raise ScenarioError("a scenario needs a title and steps")
    scenario.resolvers = scenario.resolvers or {current.name: current}
    return scenario


class Run:
    """Plays one scenario on files in ``folder``. Every datagram has to be expected, before anything else happens."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._folder = folder
        self._reactor = FakeReactor(EPOCH)
        self._network = self._reactor.network
        self._services: dict[str, ResolverService] = {}
        self._warnings: list[str] = []
        self._passed = 0
        self._asked: dict[tuple[str, bytes], Datagram] = {}  # the last question that each parent got, by its name
        self._last_asked: dict[str, bytes] = {}
        self._listens: dict[str, Address] = {
            name: (THIS_HOST, 1199 + index) for index, name in enumerate(scenario.resolvers)
        }
        for name, setup in scenario.resolvers.items():
            (folder / name).mkdir()
            for file, content in setup.files.items():
                # The line's end belongs to the format, so a last line that says so goes without one.
                (folder / name / file).write_bytes(content.removesuffix(b"<cut>\n"))

    def play(self) -> None:
        """Raises AssertionError with the number of the step that did not go as the scenario says."""
        self._start()
        where = "at the start"
        try:
            for number, line in self._scenario.steps:
                where = f"line {number}"
                step, arguments = _find_step(line)
                step(self, **arguments)
            where = "at the end"
            self._nothing_is_sent()
            self._stop()
            self._nothing_is_sent()
        except (AssertionError, ScenarioError) as error:
            raise AssertionError(f"{where}: {error}") from error
        finally:
            self._network.sent.clear()

    def _start(self) -> None:
        for name, setup in self._scenario.resolvers.items():
            config = self._config(setup)
            loaded: Loaded = load_files(config, self._reactor.seconds())
            assert not loaded.errors, loaded.errors
            self._warnings += loaded.warnings
            reactor: Any = self._reactor
            service = ResolverService(name, config, loaded, reactor, Surroundings(self._reactor.network, Random(1)))
            self._services[name] = service
            service.privilegedStartService()
            service.startService()

    def _config(self, setup: Setup) -> ResolverConfig:
        host, port = self._listens[setup.name]
        parents = tuple(f"text:{where[0]}:{where[1]}" for where in self._scenario.parents.values())
        folder = self._folder / setup.name
        listen = f"udp:{port}:interface={host}"
        config = {"listen": listen, "allow": "0.0.0.0/0", "parents": parents} | setup.config
        if "records" in setup.files:
            config["records"] = (os.fspath(folder / "records"),)
        config["learned"] = os.fspath(folder / config.get("learned", "learned"))
        return ResolverConfig.model_validate(config)

    def _stop(self) -> None:
        for service in self._services.values():
            stopped: list[object] = []
            service.stopService().addCallback(stopped.append)
            self._reactor.next_turn()
            assert stopped, "the resolver does not stop"
        self._services.clear()
        assert not self._reactor.getDelayedCalls(), f"timers are left: {self._reactor.getDelayedCalls()[:5]}"
        assert not self._network.sockets, f"sockets are left: {list(self._network.sockets)}"

    def _route(self) -> None:
        """Bring on what the resolvers send each other."""
        while passing := [sent for sent in self._network.sent if sent.destination[0] == THIS_HOST]:
            self._network.sent.remove(passing[0])
            self._passed += 1
            assert self._passed < MOST_DATAGRAMS, "the resolvers send each other a storm"
            self._network.deliver(passing[0].payload, passing[0].source, passing[0].destination)
            self._reactor.next_turn()

    def _take(self, destination: Address, payload: bytes) -> Datagram:
        for sent in self._network.sent:
            if (sent.destination, sent.payload) == (destination, payload):
                self._network.sent.remove(sent)
                return sent
        raise AssertionError(f"this was not sent: {payload!r}; sent was: {self._shown()}")

    def _shown(self) -> str:
        return "; ".join(map(str, self._network.sent[:5])) or "nothing"

    def _nothing_is_sent(self) -> None:
        assert not self._network.sent, f"nobody expected: {self._shown()}"

    def _deliver(self, payload: bytes, source: Address, socket: FakeSocket | Address) -> None:
        self._nothing_is_sent()
        self._network.deliver(payload, source, getattr(socket, "address", socket))
        self._reactor.next_turn()
        self._route()

    # -- steps

    def client_asks(self, client: str, payload: str, resolver: str | None = None) -> None:
        self._deliver(unescape(payload), _client(client), self._listens[resolver or next(iter(self._listens))])

    def client_asks_many(self, client: str, count: str) -> None:
        listens = next(iter(self._listens.values()))
        for number in range(int(count)):
            self._network.deliver(f"n{number}.example".encode(), _client(client), listens)
        self._reactor.next_turn()

    def server_sends(self, source: str, payload: str, resolver: str | None = None) -> None:
        """A datagram from another server's port, as a forger or a reply gone astray would have it."""
        host, port = source.rsplit(":", 1)
        self._deliver(unescape(payload), (host, int(port)), self._listens[resolver or next(iter(self._listens))])

    def client_is_told(self, client: str, payload: str) -> None:
        answer = self._take(_client(client), unescape(payload))
        assert answer.source in self._listens.values(), f"the answer came from another port: {answer}"

    def parent_is_asked(self, parent: str, payload: str) -> None:
        question = self._take(self._scenario.parents[parent], unescape(payload))
        assert question.source not in self._listens.values(), f"the question came from the listening port: {question}"
        self._asked[parent, question.payload] = question
        self._last_asked[parent] = question.payload

    def parent_is_asked_many(self, parent: str, count: str) -> None:
        for number in range(int(count)):
            self.parent_is_asked(parent, f"n{number}.example")

    def parent_tells(self, parent: str, payload: str, name: str | None = None, source: str | None = None) -> None:
        """To whoever asked the parent last, or last for ``name``; from ``source`` in place of the parent's address."""
        asked = self._asked[parent, self._last_asked[parent] if name is None else unescape(name)]
        address = self._scenario.parents[parent]
        if source is not None:
            host, _, port = source.rpartition(":")
            address = (host, int(port))
        self._deliver(unescape(payload), address, asked.socket)

    def parent_refuses(self, parent: str) -> None:
        self._nothing_is_sent()
        socket = self._asked[parent, self._last_asked[parent]].socket
        assert socket.is_open, "the socket is closed already"
        socket.refuse()
        self._reactor.next_turn()

    def asked_from_fresh_ports(self, parent: str, count: str) -> None:
        ports = {asked.source for (name, _), asked in self._asked.items() if name == parent}
        assert len(ports) == int(count), f"{len(ports)} ports"

    def time_passes(self, seconds: str) -> None:
        self._nothing_is_sent()
        self._reactor.pass_time(float(seconds), self._route)

    def nothing_is_sent(self) -> None:
        self._nothing_is_sent()

    def at_most_pass(self, count: str) -> None:
        assert 0 < self._passed <= int(count), f"{self._passed} datagrams passed between the resolvers"

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self._nothing_is_sent()
        self._stop()

    def start(self) -> None:
        self._nothing_is_sent()
        self._start()

    def crash(self) -> None:
        """The process is gone at once, and with it its sockets and timers; the files stay as they are."""
        self._nothing_is_sent()
        self._services.clear()
        self._network.sockets.clear()
        for call in tuple(self._reactor.getDelayedCalls()):
            call.cancel()
        self._start()

    def sending_fails(self, parent: str, reason: str) -> None:
        self._network.send_errors[self._scenario.parents[parent]] = OSError(1, reason)

    def connecting_fails(self, parent: str, reason: str) -> None:
        self._network.connect_errors[self._scenario.parents[parent]] = OSError(101, reason)

    def no_socket(self, reason: str) -> None:
        self._network.bind_error = OSError(24, reason)

    def warned(self, text: str) -> None:
        assert any(text in warning for warning in self._warnings), f"warned was: {self._warnings}"

    def no_warning(self) -> None:
        assert not self._warnings, f"warned was: {self._warnings}"

    def file_is(self, file: str, content: str, resolver: str = "main") -> None:
        """``content`` is the whole file, its newlines written ``\\n``."""
        real = (self._folder / resolver / file).read_bytes()
        assert real == unescape(content), f"the file is {real!r}"


def _client(name: str) -> Address:
    """Each client has an address of its own; ``A2`` is another port of client A's host."""
    return (f"172.16.20.{ord(name[0])}", 54699 + int(name[1:] or 0))


_STEPS: dict[str, Callable[..., None]] = {
    r"client (?P<client>[A-Z]\d*) asks for (?P<count>\d+) names": Run.client_asks_many,
    r"client (?P<client>[A-Z]\d*) asks(?: resolver (?P<resolver>\w+) for)?:? ?(?P<payload>.*)": Run.client_asks,
    r"client (?P<client>[A-Z]\d*) is told:? ?(?P<payload>.*)": Run.client_is_told,
    r"server (?P<source>\S+:\d+) sends(?: resolver (?P<resolver>\w+))?: ?(?P<payload>.*)": Run.server_sends,
    r"parent (?P<parent>\w+) is asked for (?P<count>\d+) names": Run.parent_is_asked_many,
    r"parent (?P<parent>\w+) is asked:? (?P<payload>.*)": Run.parent_is_asked,
    r"parent (?P<parent>\w+) was asked from (?P<count>\d+) ports": Run.asked_from_fresh_ports,
    r"parent (?P<parent>\w+) tells(?: about (?P<name>\S+))?(?: from (?P<source>\S+:\d+))?: ?(?P<payload>.*)": (
        Run.parent_tells
    ),
    r"parent (?P<parent>\w+) refuses": Run.parent_refuses,
    r"time passes (?P<seconds>[\d.]+)": Run.time_passes,
    r"nothing is sent": Run.nothing_is_sent,
    r"at most (?P<count>\d+) datagrams passed between the resolvers": Run.at_most_pass,
    r"restart": Run.restart,
    r"stop": Run.stop,
    r"start": Run.start,
    r"crash": Run.crash,
    r"connecting to (?P<parent>\w+) fails: (?P<reason>.*)": Run.connecting_fails,
    r"sending to (?P<parent>\w+) fails: (?P<reason>.*)": Run.sending_fails,
    r"no socket can be had: (?P<reason>.*)": Run.no_socket,
    r"warned: (?P<text>.*)": Run.warned,
    r"no warning": Run.no_warning,
    r"file (?P<file>\w+) is: ?(?P<content>.*)": Run.file_is,
}


def _find_step(line: str) -> tuple[Callable[..., None], dict[str, str]]:
    for pattern, step in _STEPS.items():
        if match := re.fullmatch(pattern, line):
            return step, {key: value for key, value in match.groupdict().items() if value is not None}
    raise ScenarioError(f"there is no such step: {line}")


def scenario_files() -> Iterator[Path]:
    """The files in tests/scenarios."""
    return iter(sorted((Path(__file__).resolve().parents[1] / "scenarios").glob("*.scenario")))
