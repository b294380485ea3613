"""Tests for :mod:`labnet.resolver.service`: one resolver, wired, on a network in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dns.message
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from labnet.interfaces import StartError
from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.loading import files
from labnet.resolver.serve import ports
from labnet.resolver.service import Surroundings
from tests.resolver import lab as lab_module
from tests.resolver.dnsfakes import FakeConnection, reply_to
from tests.resolver.fakes import FakeStreamPort
from tests.resolver.lab import COURSE, Lab, errors, rcode, shown

RECORDS = {"ips.txt": "www.lab,10.0.0.1,60\n"}


@implementer(ILearned)
class Learned:
    """What a resolver learned, in place of its logs."""

    def __init__(self) -> None:
        self.learned: list[CachedAnswer] = []

    def append(self, learned: Sequence[CachedAnswer]) -> None:
        self.learned += learned

    def rewrite(self) -> None:
        """Nothing is on disk."""

    def close(self) -> None:
        """Nothing is open."""


class ListeningTests(SynchronousTestCase):
    """UDP and TCP on one port number."""

    def setUp(self) -> None:
        self.lab = Lab(self, RECORDS)
        self.lab.stop()
        self.streams: list[tuple[int, str]] = []
        self.busy: set[int] = set()
        self.listen = self.lab.reactor.listenTCP
        self.patch(self.lab.reactor, "listenTCP", self.listen_tcp)

    def listen_tcp(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> FakeStreamPort:
        self.streams.append((port, interface))
        if port in self.busy:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        return self.listen(port, factory, backlog, interface)

    def test_tcp_has_the_number_of_udp(self) -> None:
        """Each listener is opened for both, also where the system picks the number."""
        self.lab.restart(listen=["udp:1199", "udp:0", "udp:5300:interface=127.0.0.2"])
        hosts = [port.getHost() for port in self.lab.service.ports]
        self.assertEqual([(host.port, host.host) for host in hosts], self.streams)
        self.assertEqual(self.streams[0], (1199, "127.0.0.1"))
        self.assertGreater(self.streams[1][0], 1199)
        self.assertEqual(self.streams[2], (5300, "127.0.0.2"))
        self.lab.stop()
        self.assertEqual(self.lab.service.ports, ())

    def starting_fails(self, listen: str) -> str:
        """The sentence of the error."""
        self.lab.config["listen"] = listen
        with self.assertRaises(StartError) as caught:
            self.lab.start()
        self.lab.reactor.next_turn()
        self.assertFalse(self.lab.network.sockets)
        return str(caught.exception)

    def test_udp_port_in_use(self) -> None:
        """A UDP port that somebody has is named in one sentence."""
        self.lab.network.bind_error = OSError(98, "Address already in use")
        self.assertEqual(
            self.starting_fails("udp:1199"),
            "labnet: cannot listen on udp:1199:interface=127.0.0.1: Address already in use; "
            "free it or change the listener",
        )

    def test_tcp_port_in_use(self) -> None:
        """A TCP port that somebody has is named as such; the UDP port is given back."""
        self.busy.add(1199)
        self.assertIn("cannot listen on tcp:1199:interface=127.0.0.1: Address", self.starting_fails("udp:1199"))
        self.assertEqual(len(self.streams), 1)

    def test_system_picks_another_number_where_tcp_has_it_already(self) -> None:
        """A number that is free for UDP alone is given back, and another one tried."""
        self.busy |= set(range(42460, 42463))
        self.lab.restart(listen="udp:0")
        self.lab.reactor.next_turn()
        (port,) = self.lab.service.ports
        self.assertEqual(port.getHost().port, 42463)
        self.assertEqual(len(self.lab.network.sockets), 1)

    def test_system_finds_no_number(self) -> None:
        """After twenty numbers the start fails."""
        self.busy |= set(range(65536))
        self.assertIn("cannot listen on tcp:", self.starting_fails("udp:0"))
        self.assertEqual(len(self.streams), 20)

    def test_datagrams_in_batches(self) -> None:
        """Where the system can, the UDP port is one that reads in batches, unless that is off."""
        made: list[tuple[str, int]] = []

        class Port:
            def __init__(self, reactor: object, address: tuple[str, int], *more: object) -> None:
                self.address = address

            def startListening(self) -> None:
                made.append(self.address)

            def getHost(self) -> Any:
                return FakeStreamPort(None, self).address

            port = 1199

            def stopListening(self) -> Deferred[None]:
                return succeed(None)

        self.patch(ports, "is_available", lambda reactor: True)
        self.patch(ports, "BatchPort", Port)
        self.lab.restart(batch=True)
        self.assertEqual(made, [("127.0.0.1", 1199)])
        self.lab.restart(batch=False)
        self.assertEqual(len(made), 1)


class ParentsTests(SynchronousTestCase):
    """Every kind of parent is made of the configuration."""

    def test_parents_of_every_kind_are_asked_in_turn(self) -> None:
        """A course parent that does not know the name lets the DNS parent be asked."""
        lab = Lab(self, parents=["text:192.0.2.53:1200", "dns:192.0.2.53"])
        lab.begin("web.example")
        lab.network.deliver(b"[]", COURSE, lab.take(COURSE).source)
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        self.assertEqual(len(shown(lab.told())), 1)

    def test_tcp_parent(self) -> None:
        """A parent ``dns+tcp`` is asked by TCP alone, on its own port."""
        lab = Lab(self, parents=["dns+tcp:192.0.2.53:5353"])
        lab.begin("web.example")
        connection = FakeConnection(lab.reactor)
        self.assertEqual((connection.host, connection.port), ("192.0.2.53", 5353))
        connection.receive(reply_to(connection.query, "web.example. 60 A 192.0.2.1"))
        self.assertEqual(len(shown(lab.told())), 1)

    def test_system_parents(self) -> None:
        """The servers of resolv.conf are asked on port 53."""
        lab = Lab(self, {"learned.conf": "nameserver 192.0.2.53\n"}, parents=[])
        self.patch(files, "RESOLV_CONF", str(lab.folder / "learned.conf"))
        lab.restart(parents=["system"])
        self.assertEqual(len(lab.resolve("web.example", "web.example. 60 A 192.0.2.1").answer), 1)

    def test_root(self) -> None:
        """With ``root`` the servers of the hints are walked from, on the port that the configuration names."""
        lab = Lab(self, {"learned.hints": ". 60 NS a.root.\na.root. 60 A 192.0.2.99\n"}, parents=[])
        lab.restart(parents=["root"], hints=str(lab.folder / "learned.hints"), root_port=5300)
        lab.begin("example")
        query = lab.take(("192.0.2.99", 5300))
        self.assertEqual(dns.message.from_wire(query.payload).flags, 0)
        lab.tell(query, "example. 60 A 192.0.2.1", flags="QR AA")
        self.assertEqual(shown(lab.told()), ["example. 60 IN A 192.0.2.1"])

    def test_course_time_outs_follow_the_configuration(self) -> None:
        """The parent is tried ``parent_tries`` times for ``parent_timeout`` seconds, and the error says so."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"], parent_timeout=1.5, parent_tries=3)
        lab.begin("web.example")
        for _ in range(3):
            lab.take(COURSE)
            lab.pass_time(1.5)
        reply = lab.told()
        self.assertEqual((rcode(reply), errors(reply)), ("SERVFAIL", ["192.0.2.53:1200 did not answer in 3 x 1.5 s"]))


class StartAndStopTests(SynchronousTestCase):
    """A service stops and starts on the same files."""

    def test_what_is_learned_stays_within_its_bytes(self) -> None:
        """The cache holds no more than ``cache_bytes``."""
        lab = Lab(self, cache_bytes=100_000)
        for number in range(200):
            lab.resolve(f"n{number}.example", f"n{number}.example. 60 A 192.0.2.1")
        self.assertEqual(len(shown(lab.ask("n199.example"))), 1)
        lab.resolve("n0.example", "n0.example. 60 A 192.0.2.1")

    def test_expired_line_hides_an_earlier_one(self) -> None:
        """Of one name the last line of the log counts, even if its time is over."""
        lines = "a.course,192.0.2.1,900,1,1605280480.0\na.course,192.0.2.2,5,1,1605280481.0\n"
        lab = Lab(self, {"learned": lines}, records=[], parents=[])
        self.assertEqual(rcode(lab.ask("a.course")), "REFUSED")

    def test_rewritten_logs_have_what_is_live(self) -> None:
        """A log that is rewritten has each protocol's own valid answers."""
        lab = Lab(self, {"learned": "a.course,192.0.2.1,900,1,1605280480.0\nb.co"}, records=[])
        self.assertEqual((lab.folder / "learned").read_text(), "a.course,192.0.2.1,900,1,1605280480.0\n")
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        self.assertEqual((lab.folder / "learned.dns").read_bytes().count(b"\n"), 1)
        self.assertEqual((lab.folder / "learned").read_bytes().count(b"\n"), 1)

    def test_one_of_several_processes_tells_and_writes_nothing(self) -> None:
        """The files are those of whom it tells: of two that write one, each takes the other for an editor."""
        learned = Learned()
        verifyObject(ILearned, learned)
        self.patch(lab_module, "Surroundings", partial(Surroundings, learned=learned, secret=bytes(16)))
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        self.assertEqual([str(question) for question, _ in learned.learned], ["web.example A"])
        lab.service.flush("web.example")
        lab.stop()
        self.assertEqual(list(lab.folder.iterdir()), [])

    def test_name_of_the_server(self) -> None:
        """``nsid`` is told who asks for it."""
        lab = Lab(self, RECORDS, nsid="the lab")
        query = dns.message.make_query("www.lab", "A", use_edns=0, options=[dns.edns.GenericOption(3, b"")])
        lab.send(query.to_wire())
        (reply,) = [dns.message.from_wire(sent.payload) for sent in lab.network.sent]
        lab.network.sent.clear()
        self.assertIn(b"the lab", [option.to_wire() for option in reply.options])
