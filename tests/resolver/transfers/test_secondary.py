"""Zones of other servers: when primaries are asked, what counts of what they say, and what is told on."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import dns.message
import dns.rdatatype
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.reading import Config, build
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.transfers.fetching import IDLE, Means
from labnet.resolver.transfers.keeper import ZoneKeeper
from labnet.resolver.transfers.notifying import WAITS
from labnet.resolver.transfers.secondary import FIRST_RETRY, SOONEST, ZoneLooked
from labnet.wire.names import key_of
from labnet.wire.transfer import notify_reply
from labnet.wire.tsig import Signer
from labnet.wire.types import Question, Rcode, RRType
from tests.resolver.dnsfakes import FakeConnection, FakeSockets
from tests.resolver.transfers.primary import KEY, SECRET
from tests.resolver.transfers.test_incoming import a, message

NOW = 1_700_000_000.0
REFRESH, RETRY, EXPIRE = 3600, 900, 86400
ZONE = key_of("lab.test")


def soa(serial: int, refresh: int = REFRESH, retry: int = RETRY, expire: int = EXPIRE) -> str:
    """An SOA of the zone."""
    return f"lab.test. 60 IN SOA ns.lab.test. admin.lab.test. {serial} {refresh} {retry} {expire} 120"


def at_once(work: Callable[[], Any]) -> Deferred[Any]:
    """In place of a thread."""
    return maybeDeferred(work)


class Reactor(MemoryReactorClock):
    """A clock, and connections that the test plays the other end of."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = NOW


class Secondary:
    """A lab whose resolver ``main`` has ``lab.test`` from primaries; it is loaded anew whenever that changes."""

    def __init__(self, test: SynchronousTestCase, folder: Path | None = None, **resolver: Any) -> None:
        if folder is None:
            made = tempfile.TemporaryDirectory()
            test.addCleanup(made.cleanup)
            folder = Path(made.name)
        self.folder = folder
        self.reactor = Reactor()
        self.sockets = FakeSockets()
        self.table: dict[str, Any] = {"listen": "udp:1199", "secondary": {"lab.test": ["192.0.2.1"]}} | resolver
        self.loads = 0
        self._accepted: dict[int, FakeConnection] = {}
        reactor: Any = self.reactor
        sockets: Any = self.sockets
        self.keeper = ZoneKeeper(Means(reactor, at_once, Random(1)), sockets, self.load)
        test.addCleanup(self.stop)

    def start(self, at: float = NOW) -> Secondary:
        """Start at this time, with what is in the folder."""
        self.reactor.rightNow = at
        self.load()
        self.keeper.startService()
        self.keeper.served()
        self.turn()
        return self

    def stop(self) -> None:
        """Stop; nothing of it may be left."""
        if self.keeper.running:
            self.keeper.stopService()
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()
        assert self.sockets.all_closed

    def load(self) -> None:
        """Read the configuration and the files, and serve what they have."""
        key = {"key.lab": {"secret": base64.b64encode(SECRET).decode()}}
        self.config: Config = build({"resolver": {"main": self.table}, "key": key}, str(self.folder), str(self.folder))
        self.loaded: Loaded = load_files(self.config.resolver["main"], self.reactor.seconds())
        assert not self.loaded.errors, self.loaded.errors
        self.loads += 1
        self.keeper.take(self.config, {"main": self.loaded})

    @property
    def path(self) -> Path:
        """The zone's file."""
        return Path(self.config.resolver["main"].zone_file(ZONE))

    def turn(self, seconds: float = 0) -> None:
        """Let time pass."""
        self.reactor.advance(seconds)

    def asked(self) -> FakeConnection:
        """The newest connection to a primary, accepted."""
        number = len(self.reactor.tcpClients)
        if number not in self._accepted:
            self._accepted[number] = FakeConnection(self.reactor)
        return self._accepted[number]

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self.reactor.tcpClients)

    def refuse(self) -> None:
        """Nobody listens where the newest connection went."""
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def transfer(self, *records: str) -> FakeConnection:
        """The primary answers what it is asked by these records."""
        connection = self.asked()
        connection.receive(message(*records, id=int.from_bytes(connection.query[:2], "big")))
        return connection

    @property
    def address(self) -> str:
        """What is answered for ``www.lab.test``."""
        answer = self.loaded.zone.find(Question(key_of("www.lab.test"), RRType.A))
        assert answer is not None
        return ".".join(map(str, answer.answer[0].rdatas[0])) if answer.answer else answer.rcode.name

    @property
    def status(self) -> dict[str, Any]:
        """How the zone is."""
        (found,) = self.keeper.status()
        return found

    def count(self, *labels: str) -> int:
        """What ``labnet_transfers_total`` counts for kind and result."""
        return sum(
            sample.value
            for sample in self.keeper.samples()
            if sample.name == "labnet_transfers_total" and sample.labels == ("main", "in", *labels)
        )


def kind(query: bytes) -> tuple[str, int | None]:
    """The type of a question for a zone, and the serial that it tells."""
    asked = dns.message.from_wire(query, keyring=False)
    serial = asked.authority[0][0].serial if asked.authority else None
    return dns.rdatatype.to_text(asked.question[0].rdtype), serial


WHOLE = (soa(5), a("www", 1), soa(5))


class SecondaryZoneTests(SynchronousTestCase):
    """The life of one zone."""

    def test_zone_is_had_whole_at_first_and_served(self) -> None:
        """Until then its names are SERVFAIL: nothing is known of them, also not that they are not there."""
        secondary = Secondary(self).start()
        self.assertEqual((secondary.address, secondary.status["state"]), ("SERVFAIL", "transferring"))
        connection = secondary.asked()
        self.assertEqual(kind(connection.query), ("AXFR", None))
        self.assertEqual((connection.host, connection.port), ("192.0.2.1", 53))
        secondary.transfer(*WHOLE)
        self.assertEqual(secondary.address, "192.0.2.1")
        self.assertTrue(secondary.loaded.zone.is_authority_below(ZONE))
        shown = [secondary.status[key] for key in ("state", "serial", "primary", "next", "expires")]
        self.assertEqual(shown, ["served", 5, "192.0.2.1:53", REFRESH, EXPIRE])
        self.assertEqual(secondary.count("axfr", "done"), 1)

    def test_primary_is_asked_for_changes_after_the_refresh_time(self) -> None:
        """One that has nothing newer is asked again after the same time; one that has tells what changed."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        secondary.turn(REFRESH - 1)
        self.assertEqual(secondary.connections, 1)
        secondary.turn(1)
        self.assertEqual(kind(secondary.asked().query), ("IXFR", 5))
        secondary.transfer(soa(5))
        self.assertEqual((secondary.loads, secondary.status["expires"]), (2, EXPIRE))
        secondary.turn(REFRESH)
        secondary.transfer(soa(7), soa(5), a("www", 1), soa(7), a("www", 7), soa(7))
        self.assertEqual((secondary.address, secondary.status["serial"]), ("192.0.2.7", 7))
        self.assertEqual([secondary.count("ixfr", result) for result in ("current", "done")], [1, 1])

    def test_what_fails_leaves_what_was_and_is_tried_again(self) -> None:
        """Cut, garbled, refused: the whole zone is asked for then, and after the retry time all begins anew."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        secondary.turn(REFRESH)
        secondary.transfer(soa(6), soa(5), a("www", 9))
        secondary.asked().protocol.connectionLost(Failure(ConnectionRefusedError()))
        self.assertEqual(secondary.address, "192.0.2.1")
        secondary.turn()
        self.assertEqual(kind(secondary.asked().query)[0], "AXFR")

    def test_each_way_to_fail_leaves_what_was(self) -> None:
        """The old version is served, and no half of a new one is on the disk."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        before = secondary.path.read_bytes()
        secondary.turn(REFRESH)

        def cut(connection: FakeConnection) -> None:
            connection.receive(message(soa(6), a("x", 1), id=int.from_bytes(connection.query[:2], "big")))
            connection.protocol.connectionLost(Failure(ConnectionRefusedError()))

        def silent(connection: FakeConnection) -> None:
            connection.receive(message(soa(6), a("x", 1), id=int.from_bytes(connection.query[:2], "big")))
            secondary.turn(IDLE)

        def garbled(connection: FakeConnection) -> None:
            connection.receive(b"\0" * 30)

        def refused(connection: FakeConnection) -> None:
            connection.receive(message(id=int.from_bytes(connection.query[:2], "big"), rcode=5))

        for fail in (cut, silent, garbled, refused):
            for expected in ("IXFR", "AXFR"):
                connection = secondary.asked()
                self.assertEqual(kind(connection.query)[0], expected, fail)
                fail(connection)
                self.assertTrue(connection.aborted)
            self.assertTrue(secondary.status["problem"], fail)
            self.assertEqual((secondary.address, secondary.path.read_bytes()), ("192.0.2.1", before))
            self.assertEqual(os.listdir(secondary.path.parent), ["lab.test.zone"])
            secondary.turn(RETRY)
        self.assertEqual(secondary.loads, 2)

    def test_other_primaries_are_asked_where_one_is_gone(self) -> None:
        """In their order; one that tells of a newer version comes first."""
        secondary = Secondary(self, secondary={"lab.test": ["192.0.2.1", "192.0.2.2:5300"]}).start()
        secondary.refuse()
        self.assertEqual(secondary.asked().host, "192.0.2.2")
        secondary.transfer(*WHOLE)
        self.assertEqual(secondary.status["primary"], "192.0.2.2:5300")
        secondary.turn(SOONEST)
        secondary.keeper.notified("main", ZONE, 6, "192.0.2.2")
        secondary.turn()
        self.assertEqual(secondary.asked().host, "192.0.2.2")

    def test_notify_has_the_primary_asked_at_once_but_not_all_the_time(self) -> None:
        """One of a version that is here already does nothing; many have it asked once more."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        secondary.turn(SOONEST)
        for serial in (5, 4):
            secondary.keeper.notified("main", ZONE, serial, "192.0.2.1")
        secondary.turn()
        self.assertEqual(secondary.connections, 1)
        for _ in range(10):
            secondary.keeper.notified("main", ZONE, None, "192.0.2.1")
            secondary.turn()
        self.assertEqual(secondary.connections, 2)
        secondary.transfer(soa(5))
        secondary.turn(SOONEST - 1)
        self.assertEqual(secondary.connections, 2)
        secondary.turn(1)
        self.assertEqual(secondary.connections, 3)
        secondary.transfer(soa(5))
        secondary.keeper.notified("main", ZONE, 6, "192.0.2.1")
        secondary.turn(SOONEST - 1)
        self.assertEqual(secondary.connections, 3)
        secondary.keeper.notified("main", key_of("other"), 6, "192.0.2.1")

    def test_zone_expires_and_comes_back(self) -> None:
        """After the time of its SOA nothing is said about its names; the same version will do to end that."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        for _ in range(0, EXPIRE - REFRESH, RETRY):
            secondary.turn(RETRY)
        self.assertEqual(secondary.address, "192.0.2.1")
        secondary.turn(REFRESH)
        self.assertEqual((secondary.address, secondary.status["expires"]), ("SERVFAIL", None))
        while secondary.status["state"] != "transferring":
            secondary.turn(RETRY)
        secondary.transfer(soa(5))
        self.assertEqual((secondary.address, secondary.status["state"]), ("192.0.2.1", "served"))

    def test_numbers_of_a_primary_have_bounds(self) -> None:
        """No SOA has it asked all the time, or thrown away before it can be asked again."""
        secondary = Secondary(self).start()
        secondary.transfer(soa(5, 0, 0, 0), a("www", 1), soa(5, 0, 0, 0))
        self.assertEqual((secondary.status["next"], secondary.status["expires"]), (SOONEST, 60))
        secondary.turn(SOONEST)
        secondary.transfer(soa(6, 2**32 - 1, 2**32 - 1, 2**32 - 1), a("www", 1), soa(6))
        self.assertEqual(secondary.status["next"], 14 * 86400)

    def test_zone_is_kept_over_a_restart(self) -> None:
        """Its times go on from when it was last current; it may expire while nothing runs."""
        first = Secondary(self).start()
        first.transfer(*WHOLE)
        first.stop()
        os.utime(first.path, (NOW, NOW))
        for later in (REFRESH - 10, EXPIRE - 10):
            again = Secondary(self, first.folder).start(NOW + later)
            self.assertEqual(again.address, "192.0.2.1")
            self.assertEqual(again.connections, 1 if later > REFRESH else 0)
            again.stop()
        expired = Secondary(self, first.folder).start(NOW + EXPIRE + 1)
        self.assertEqual(expired.address, "SERVFAIL")
        self.assertEqual(kind(expired.asked().query)[0], "AXFR")

    def test_file_that_is_damaged_is_had_anew(self) -> None:
        """Nothing of it is served, and the lab starts all the same."""
        first = Secondary(self).start()
        first.transfer(*WHOLE)
        first.stop()
        for content in (
            b"",
            b"\xff\xfe",
            b"; x\nother. 60 IN SOA a. b. 1 2 3 4 5\n",
            b"; x\nwww.lab.test. 60 IN A 192.0.2.1\n",
        ):
            first.path.write_bytes(content)
            again = Secondary(self, first.folder).start()
            self.assertEqual((again.address, again.connections), ("SERVFAIL", 1), content)
            self.assertTrue(any("had anew" in warning for warning in again.loaded.warnings), content)
            again.stop()

    def test_records_that_cannot_be_served_are_warned_of(self) -> None:
        """A primary's mistakes keep nothing from starting, and a million of them are no million lines."""
        secondary = Secondary(self).start()
        wrong = [
            f"n{number}.lab.test. 60 IN {data}"
            for number in range(9)
            for data in ("A 192.0.2.1", "CNAME www.lab.test.")
        ]
        secondary.transfer(soa(5), a("www", 1), *wrong, soa(5))
        self.assertEqual(secondary.address, "192.0.2.1")
        self.assertEqual(len(secondary.loaded.warnings), 6)
        self.assertIn("4 more like that", secondary.loaded.warnings[-1])

    def test_transfer_that_is_ordered_tells_what_came_of_it(self) -> None:
        """It is told once it is over, whether that is the newest version or none."""
        secondary = Secondary(self).start()
        secondary.refuse()
        told: list[Any] = []
        self.assertTrue(secondary.keeper.has("LAB.test"))
        self.assertFalse(secondary.keeper.has("other"))
        secondary.keeper.transfer("lab.test").addCallback(told.append)
        secondary.turn(SOONEST)
        secondary.refuse()
        ((resolver, zone, looked),) = told.pop()
        self.assertEqual((resolver, zone, looked.done), ("main", "lab.test", False))
        self.assertIn("192.0.2.1:53: it cannot be reached", looked.says)
        secondary.keeper.transfer(None).addCallback(told.append)
        secondary.turn(SOONEST)
        secondary.transfer(*WHOLE)
        self.assertEqual(told.pop()[0][2], ZoneLooked(True, "serial 5 came, from 192.0.2.1:53"))
        secondary.keeper.transfer(None).addCallback(told.append)
        secondary.keeper.stopService()
        self.assertFalse(told.pop()[0][2].done)

    def test_never_had_is_tried_again_soon(self) -> None:
        """There is no SOA yet to say when."""
        secondary = Secondary(self).start()
        secondary.refuse()
        self.assertEqual((secondary.status["state"], secondary.status["next"]), ("never had", FIRST_RETRY))

    def test_change_of_the_configuration_counts_at_once(self) -> None:
        """Another primary is asked, a zone that goes is asked for no more, a new one is."""
        secondary = Secondary(self).start()
        secondary.transfer(*WHOLE)
        secondary.turn(SOONEST)
        secondary.table["secondary"] = {"lab.test": ["192.0.2.9"]}
        secondary.load()
        secondary.turn()
        self.assertEqual(secondary.asked().host, "192.0.2.9")
        secondary.table["secondary"] = {"other.test": ["192.0.2.9"]}
        secondary.load()
        secondary.turn()
        self.assertEqual([zone["zone"] for zone in secondary.keeper.status()], ["other.test"])
        self.assertIn(b"\5other\4test\0", secondary.asked().query)

    def test_messages_are_signed_both_ways(self) -> None:
        """The question is signed by the primary's key, and what is not signed by it is no zone."""
        secondary = Secondary(self, secondary={"lab.test": ["192.0.2.1 key:key.lab"]}).start()
        connection = secondary.asked()
        query = dns.message.from_wire(connection.query, keyring=False)
        self.assertTrue(query.had_tsig)
        id = query.id
        connection.receive(message(*WHOLE, id=id))
        self.assertIn("not signed", secondary.status["problem"])
        secondary.turn(FIRST_RETRY)
        connection = secondary.asked()
        query = dns.message.from_wire(connection.query, keyring=False)
        signer = Signer(KEY, query.mac)
        for records in (WHOLE[:2], WHOLE[2:]):
            connection.receive(signer.sign(message(*records, id=query.id), secondary.reactor.seconds(), many=True))
        self.assertEqual(secondary.address, "192.0.2.1")


class NotifyTests(SynchronousTestCase):
    """Servers are told of newer zones."""

    def primary(self, *notify: str) -> Secondary:
        """A lab with a zone of its own, which ``notify`` are told of."""
        lab = Secondary(self, secondary={}, zones="lab.test", records="zone:db", notify=list(notify))
        self.write(lab, 5)
        return lab.start()

    def write(self, lab: Secondary, serial: int) -> None:
        """Have the zone's file be of this version."""
        (lab.folder / "db").write_text(soa(serial) + "\n")

    def serials(self, lab: Secondary) -> list[int]:
        """Of which serials each server was told."""
        found = []
        for socket in lab.sockets.opened:
            told = dns.message.from_wire(socket.query, keyring=False)
            found.append(int(told.answer[0][0].serial))
        return found

    def test_servers_are_told_at_the_start_and_of_each_newer_version(self) -> None:
        """A version that is not newer is nothing to tell."""
        lab = self.primary("192.0.2.8", "192.0.2.9:5300")
        self.assertEqual(
            [(socket.host, socket.port) for socket in lab.sockets.opened], [("192.0.2.8", 53), ("192.0.2.9", 5300)]
        )
        for socket in lab.sockets.opened:
            socket.receive(notify_reply(socket.query, Rcode.NOERROR))
        for serial in (5, 4, 7):
            self.write(lab, serial)
            lab.load()
        self.assertEqual(self.serials(lab), [5, 5, 7, 7])

    def test_nobody_is_told_before_the_lab_answers(self) -> None:
        """Who is told asks at once, and would find nobody."""
        lab = Secondary(self, secondary={}, zones="lab.test", records="zone:db", notify="192.0.2.8")
        self.write(lab, 5)
        lab.load()
        lab.keeper.startService()
        self.assertEqual(lab.sockets.opened, [])
        for _ in range(2):
            lab.keeper.served()
        self.assertEqual(self.serials(lab), [5])

    def test_server_that_is_silent_is_told_again_and_then_given_up(self) -> None:
        """Each wait is longer; a newer version takes the place of an older one."""
        lab = self.primary("192.0.2.8")
        for wait in WAITS[:2]:
            lab.turn(wait)
        self.assertEqual(self.serials(lab), [5, 5, 5])
        self.write(lab, 6)
        lab.load()
        for wait in WAITS:
            lab.turn(wait)
        self.assertEqual(self.serials(lab), [5] * 3 + [6] * len(WAITS))
        self.assertEqual(lab.reactor.getDelayedCalls(), [])

    def test_answer_of_any_kind_ends_it_and_garbage_does_not(self) -> None:
        """It has the id and is an answer to a NOTIFY."""
        lab = self.primary("192.0.2.8")
        socket = lab.sockets.last
        right = notify_reply(socket.query, Rcode.REFUSED)
        for wrong in (
            b"",
            right[:11],
            bytes([right[0] ^ 1]) + right[1:],
            socket.query,
            message(id=int.from_bytes(right[:2], "big")),
        ):
            socket.receive(wrong)
        self.assertEqual(len(lab.reactor.getDelayedCalls()), 1)
        socket.receive(right)
        self.assertEqual(lab.reactor.getDelayedCalls(), [])

    def test_unreachable_server_is_told_later(self) -> None:
        """Nobody listens there yet, or there is no way."""
        lab = self.primary("192.0.2.8")
        lab.sockets.last.failed(OSError(111, "Connection refused"))
        lab.sockets.open_error = OSError(101, "Network is unreachable")
        lab.turn(WAITS[0])
        lab.sockets.open_error = None
        lab.turn(WAITS[1])
        self.assertEqual(self.serials(lab), [5, 5])

    def test_told_signed_only_a_signed_answer_counts(self) -> None:
        """By the key of that server."""
        lab = self.primary("192.0.2.8 key:key.lab")
        socket = lab.sockets.last
        asked = dns.message.from_wire(socket.query, keyring=False)
        reply = notify_reply(socket.query, Rcode.NOERROR)
        socket.receive(reply)
        self.assertEqual(len(lab.reactor.getDelayedCalls()), 1)
        socket.receive(Signer(KEY, asked.mac).sign(reply, lab.reactor.seconds()))
        self.assertEqual(lab.reactor.getDelayedCalls(), [])

    def test_secondary_tells_others_of_what_it_was_given(self) -> None:
        """A zone may go from server to server."""
        lab = Secondary(self, notify="192.0.2.8").start()
        lab.transfer(*WHOLE)
        self.assertEqual(self.serials(lab), [5])
