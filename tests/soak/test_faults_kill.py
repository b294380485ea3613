"""kill -9 at any moment while it learns at full speed: what was answered is there after it, and nothing is wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from labnet.config import reading
from labnet.daemon.running.reload import load_lab
from labnet.daemon.tap import ResolverOptions
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import encode_dns_line
from labnet.resolver.loading.loaded import Loaded
from labnet.wire.course_line import encode_record
from labnet.wire.types import Answer, Mapping, Question, Rcode, RRset, RRType
from tests.interop.daemon import Daemon
from tests.soak.dns_packets import wire_of
from tests.soak.faults import Client, Parents, Told, names, ttl_of, turn

SEED = 20201113
KILLS = 150
KILLS_OF_THE_ASSIGNMENTS = 50
LONGEST_RUN = 0.6
"""Seconds of learning before a kill, at most."""

ASKED_ANEW = 60
"""Names of each resolver that are asked for over the wire after each start; the file is looked through for all."""

MARGIN = 0.5
"""Seconds that an answer has to be valid still for it to be missed."""

SEEDS = 1000
"""Answers that each log has from the beginning and that outlive the test: writing it anew takes a while."""

STALE = 4000
"""Lines that are over, put into each log before every fourth start: it is written anew then."""

MOST_BYTES = 400_000
"""Unless it is so big already, because it was killed each time before it was written anew."""

AUTHORS = b"# what the author wrote\r\nwww.biu.ac.il,1.2.3.4,180\n"

CONFIG = """
[lab]
state = "{folder}"
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
parents = "text:127.0.0.1:{course}"
learned = "course.learned"
[resolver.own]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/own.txt"
parents = "text:127.0.0.1:{course}"
learned = "{folder}/own.txt"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
parents = "dns:127.0.0.1:{dns}"
learned = "dns.learned"
prefetch = false
"""


SEEDED = "10.99.99.99"
DAY = 86400

Load = Callable[[], dict[str, Loaded]]


@dataclass
class Known:
    """What clients were told by one resolver, over all runs, and the log that it keeps."""

    name: str
    path: Path
    told: dict[str, Told] = field(default_factory=dict)
    addresses: dict[str, set[str]] = field(default_factory=dict)
    looked_for: int = 0
    compactions: int = 0
    killed_in_compaction: int = 0
    acknowledged: int = 0
    _inode: int = 0

    def line(self, name: str, since: float, ttl: int) -> bytes:
        """A line of its log."""
        if self.name == "dns":
            record = RRset(wire_of(name), RRType.A, ttl, (socket.inet_aton(SEEDED),))
            entry = Entry(Answer(Rcode.NOERROR, (record,)), since, ttl, "127.0.0.1:53")
            return encode_dns_line((Question(wire_of(name), RRType.A), entry)).encode() + b"\n"
        return encode_record(Mapping(name, SEEDED, ttl, True, since)).encode() + b"\n"

    def seed(self, content: bytes = b"") -> None:
        """Have so much in the log that writing it anew takes more than a moment."""
        for number in range(SEEDS):
            name = f"seed{number}.{self.name}.test"
            self.addresses[name] = {SEEDED}
            content += self.line(name, time.time(), DAY)
        self.path.write_bytes(content)

    def age(self) -> None:
        """Have so much in it that is over that it will be written anew."""
        if self.path.stat().st_size < MOST_BYTES:
            with self.path.open("ab") as file:
                file.write(self.line("over.test", 1.0, 1) * STALE)

    def note(self, client: Client) -> None:
        """Take up what the client of one run was told; what is over is forgotten."""
        self.acknowledged += len(client.told)
        self.told |= client.told
        now = time.time()
        self.told = {name: told for name, told in self.told.items() if told.asked + ttl_of(name) > now}

    def living(self) -> dict[str, Told]:
        """What has to be known still."""
        until = time.time() + MARGIN
        return {name: told for name, told in self.told.items() if told.asked + ttl_of(name) > until}

    def was_rewritten(self, kills: int) -> bool:
        """Whether that happened often enough for the kills to tell something of it."""
        return self.compactions >= 3 and self.compactions + self.killed_in_compaction > kills / 10

    def look(self) -> None:
        """Whether the log has been written anew since the last look, and whether that was under way."""
        inode = self.path.stat().st_ino
        self.compactions += inode != self._inode
        self._inode = inode
        self.killed_in_compaction += self.path.with_name(self.path.name + ".new").exists()


def kept_in(loaded: Loaded) -> dict[str, str]:
    """Name and address of everything that was learned, as the last line of each says it."""
    kept = {}
    for _, entry in loaded.cached:
        assert entry.answer.mapping is not None
        kept[entry.answer.mapping.name] = entry.answer.mapping.address
    kept.pop("over.test", None)
    return kept


class Kills:
    """One daemon after the other, each killed while it learns."""

    def __init__(self, folder: Path, resolvers: dict[str, Known]) -> None:
        self.parents = Parents()
        self.resolvers = resolvers
        self.folder = folder
        self.random = Random(SEED)
        self.slowest_start = 0.0

    def run(self, arguments: tuple[str, ...], load: Load) -> None:
        """Start, see that all is known, learn, kill, look at the files."""
        parents = self.parents
        is_aged = parents.run % 4 == 3
        if is_aged:
            for known in self.resolvers.values():
                known.age()
        started = time.monotonic()
        daemon = Daemon(*arguments, cwd=self.folder)
        addresses = {name: daemon.address(f"resolver {name}") for name in self.resolvers}
        self.slowest_start = max(self.slowest_start, time.monotonic() - started)
        parents.run += 1
        if not is_aged:  # else it is to be killed while the logs are written anew, which is now
            self.ask_anew(addresses)
        clients = {
            name: Client(address, names(name, parents.run), is_dns=name == "dns") for name, address in addresses.items()
        }
        turn(parents, list(clients.values()), self.random.uniform(0.01, LONGEST_RUN / 3 if is_aged else LONGEST_RUN))
        daemon.kill()
        for name, client in clients.items():
            client.read()  # what it had sent when it was killed was acknowledged too
            client.close()
            assert not client.failed, client.failed[:5]
            known = self.resolvers[name]
            for asked in {*client.told, *client.asked}:
                known.addresses.setdefault(asked, set()).add(parents.address(asked, parents.run))
            wrong = {n: told for n, told in client.told.items() if told.address not in known.addresses[n]}
            assert not wrong, wrong
            known.note(client)
            known.look()
        self.check_files(load)

    def ask_anew(self, addresses: dict[str, tuple[str, int]]) -> None:
        """Over the wire: what is known still is answered as it was, and without a parent."""
        parents = self.parents
        for name, address in addresses.items():
            known = self.resolvers[name]
            living = known.living()
            picked = self.random.sample(sorted(living), min(ASKED_ANEW, len(living)))
            client = Client(address, iter(picked), is_dns=name == "dns")
            parents.asked.clear()
            turn(parents, [client], 20.0)
            client.close()
            now = time.time()
            for asked in picked:
                if living[asked].asked + ttl_of(asked) > now + MARGIN:
                    assert asked not in parents.asked, f"{asked} was asked anew"
                    assert client.told[asked].address == living[asked].address, asked

    def check_files(self, load: Load) -> None:
        """In the files: every line can be read, what is known still is there, and nothing that was never told."""
        lab = load()  # raises where anything is wrong
        for name, known in self.resolvers.items():
            warnings = [warning for warning in lab[name].warnings if "cut in the middle" not in warning]
            assert not warnings, warnings
            kept = kept_in(lab[name])
            for asked, told in known.living().items():
                assert kept.get(asked) == told.address, f"{name} has {kept.get(asked)} for {asked}, not {told}"
                known.looked_for += 1
            assert sum(asked.startswith("seed") for asked in kept) == SEEDS
            for asked, address in kept.items():
                assert address in known.addresses.get(asked, ()), f"{name} has {address} for {asked}, which nobody told"

    def report(self) -> None:
        print(f"\nslowest start: {self.slowest_start:.1f} s")
        for known in self.resolvers.values():
            print(
                f"{known.name}: {known.acknowledged} answers acknowledged, looked for {known.looked_for} times; "
                f"{known.compactions} times written anew, {known.killed_in_compaction} times killed while it was"
            )


@pytest.mark.soak
def test_no_answer_is_lost_or_wrong_after_kill_nine(tmp_path: Path) -> None:
    """Three resolvers, with a log of the course, a log of DNS answers, and a records file that is the log."""
    resolvers = {
        "course": Known("course", tmp_path / "course.learned"),
        "own": Known("own", tmp_path / "own.txt"),
        "dns": Known("dns", tmp_path / "dns.learned.dns"),
    }
    for name, known in resolvers.items():
        known.seed(AUTHORS if name == "own" else b"")
    kills = Kills(tmp_path, resolvers)
    course, dns = (sock.getsockname()[1] for sock in (kills.parents.course, kills.parents.dns))
    (tmp_path / "lab.toml").write_text(CONFIG.format(folder=tmp_path, course=course, dns=dns))

    def load() -> dict[str, Loaded]:
        return load_lab(lambda: reading.load(str(tmp_path / "lab.toml"), str(tmp_path)), time.time())[1]

    for _ in range(KILLS):
        kills.run(("labnet", f"--config={tmp_path}/lab.toml"), load)
    kills.parents.close()
    kills.report()
    assert (tmp_path / "own.txt").read_bytes().startswith(AUTHORS)
    assert all(known.was_rewritten(KILLS) for known in resolvers.values())


@pytest.mark.soak
def test_the_assignments_resolver_survives_kill_nine_too(tmp_path: Path) -> None:
    """As the assignment starts it: its records file is its log, and what its author wrote stays."""
    records = tmp_path / "ips.txt"
    known = Known("resolver", records)
    known.seed(AUTHORS)
    kills = Kills(tmp_path, {"resolver": known})
    arguments = ("0", "127.0.0.1", str(kills.parents.course.getsockname()[1]), str(records))

    def load() -> dict[str, Loaded]:
        options = ResolverOptions()
        options.parseOptions(list(arguments))
        return options.loaded

    for _ in range(KILLS_OF_THE_ASSIGNMENTS):
        kills.run(("labnet-resolver", *arguments), load)
    kills.parents.close()
    kills.report()
    assert records.read_bytes().startswith(AUTHORS)
    assert known.was_rewritten(KILLS_OF_THE_ASSIGNMENTS)
