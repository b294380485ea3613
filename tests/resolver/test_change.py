"""A resolver that runs gets another configuration, is drained, asked about itself, and told to forget."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.resolver import ResolverConfig
from labnet.interfaces import IChange, StartError
from labnet.metrics import FAMILIES
from labnet.resolver.cache.dump import dump_lines
from labnet.resolver.cache.entry import Entry
from labnet.resolver.loading.files import load_files
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType
from tests.resolver.fakes import FakePort
from tests.resolver.lab import CLIENT, COURSE, OTHER, PARENT, Lab, errors, rcode, shown

OTHER_CLIENT = ("172.16.20.66", 54700)


class ChangingLab(Lab):
    """A lab whose configuration changes while it runs."""

    def prepare(self, **config: Any) -> IChange:
        """``config`` and the files as they are now, prepared."""
        self.config |= config
        wanted = ResolverConfig.model_validate(self.config)
        loaded = load_files(wanted, self.reactor.seconds())
        assert not loaded.errors, loaded.errors
        return self.service.prepare(wanted, loaded)

    def change(self, **config: Any) -> None:
        """The same, and taken."""
        self.prepare(**config).commit()
        self.reactor.next_turn()

    def port(self) -> FakePort:
        """The UDP port of the first listener."""
        port = self.service.ports[0]
        assert isinstance(port, FakePort)
        return port

    def write(self, name: str, content: str) -> str:
        """The path of a file with that ``content``."""
        (self.folder / name).write_text(content)
        return os.fspath(self.folder / name)


class ChangeTests(SynchronousTestCase):
    """In two steps."""

    def test_records_are_new_and_the_socket_is_not(self) -> None:
        """A ready answer that was kept as bytes is not told again either."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, parents=[])
        port = lab.port()
        for _ in range(2):
            self.assertEqual(shown(lab.ask("www.lab")), ["www.lab. 60 IN A 10.0.0.1"])
            lab.course("www.lab")
            self.assertIn(b"10.0.0.1", lab.course_told())
        lab.write("ips.txt", "www.lab,10.0.0.2,60\n")
        change = lab.prepare()
        self.assertEqual(shown(lab.ask("www.lab")), ["www.lab. 60 IN A 10.0.0.1"])
        change.commit()
        self.assertEqual(shown(lab.ask("www.lab")), ["www.lab. 60 IN A 10.0.0.2"])
        lab.course("www.lab")
        self.assertIn(b"10.0.0.2", lab.course_told())
        self.assertIs(lab.port(), port)
        self.assertTrue(port.is_open)

    def test_what_was_learned_is_kept(self) -> None:
        """Records win over it."""
        lab = ChangingLab(self)
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        lab.resolve("b.example", "b.example. 600 A 192.0.2.1")
        lab.change(records=[lab.write("ips.txt", "b.example,10.0.0.1,60\n")])
        self.assertEqual(shown(lab.ask("a.example")), ["a.example. 600 IN A 192.0.2.1"])
        self.assertEqual(shown(lab.ask("b.example")), ["b.example. 60 IN A 10.0.0.1"])

    def test_a_question_in_flight_is_answered_by_whom_it_was_asked(self) -> None:
        """Though the configuration has another parent by then; the next question goes to that one."""
        lab = ChangingLab(self)
        lab.begin("a.example")
        query = lab.asked("a.example")
        lab.change(parents=["dns:192.0.2.54"])
        lab.begin("a.example", client=OTHER_CLIENT)
        self.assertEqual(lab.network.sent, [])
        lab.tell(query, "a.example. 600 A 192.0.2.1")
        self.assertEqual(shown(lab.told()), ["a.example. 600 IN A 192.0.2.1"])
        self.assertEqual(shown(lab.told(OTHER_CLIENT)), ["a.example. 600 IN A 192.0.2.1"])
        lab.begin("b.example")
        lab.asked("b.example", parent=OTHER)

    def test_the_health_of_unchanged_parents_is_kept(self) -> None:
        """That of changed ones begins anew."""
        lab = ChangingLab(self, parents=["dns:192.0.2.53"], forward={"course": ["text:192.0.2.53:1200"]})
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        lab.change(ttl_max=5, forward={"course": ["text:192.0.2.53:1201"], "nobody": []})
        (first, second) = lab.service.status()["parents"]
        self.assertIsNotNone(first["round_trip"])
        self.assertEqual(second["address"], "192.0.2.53:1201")
        lab.change(parent_timeout=1.0)
        self.assertIsNone(lab.service.status()["parents"][0]["round_trip"])

    def test_a_failure_is_forgotten(self) -> None:
        """What it came from may be mended."""
        lab = ChangingLab(self, parent_tries=1)
        lab.begin("a.example")
        lab.tell(lab.asked(), rcode="SERVFAIL")
        lab.told()
        self.assertEqual(rcode(lab.ask("a.example")), "SERVFAIL")
        lab.change()
        lab.begin("a.example")
        lab.asked("a.example")

    def test_single_keys(self) -> None:
        """Each is in force for ports that were open before."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, parents=[])
        self.assertTrue(errors(lab.ask("www.lab")))
        lab.change(explain=False, dialect="line", newline=True)
        self.assertEqual(errors(lab.ask("www.lab")), [])
        lab.course("www.lab")
        self.assertEqual(lab.course_told(), b"www.lab,10.0.0.1,60\n")
        lab.change(dialect="json")
        lab.course("www.lab")
        self.assertEqual(lab.course_told()[:1], b"[")

    def test_the_cache_takes_less(self) -> None:
        """What is past the new bound goes, what was used longest ago first."""
        lab = ChangingLab(self)
        for number in range(200):
            lab.resolve(f"n{number}.example", f"n{number}.example. 600 A 192.0.2.1")
        lab.change(cache_bytes=100_000)
        status = lab.service.status()["cache"]
        self.assertLessEqual(status["bytes"], 100_000)
        self.assertEqual(status["entries"] + status["evictions"], 200)
        self.assertEqual(len(shown(lab.ask("n199.example"))), 1)


class ListenerTests(SynchronousTestCase):
    """Which sockets are opened and closed."""

    def test_listeners_join_and_leave(self) -> None:
        """Those that stay keep their sockets; a new one answers as the others do."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, listen=["udp:1199", "udp:5300"])
        first, second = lab.service.ports
        change = lab.prepare(listen=["udp:1199", "udp:5301"], explain=False)
        self.assertEqual(lab.service.ports, (first, second))
        change.commit()
        lab.reactor.next_turn()
        self.assertIs(lab.service.ports[0], first)
        self.assertEqual(sorted(port for _, port in lab.network.sockets), [1199, 5301])
        lab.network.deliver(b"www.lab", CLIENT, ("127.0.0.1", 5301))
        self.assertIn(b"10.0.0.1", lab.course_told())

    def test_the_same_listener_twice(self) -> None:
        """Of a port that the system picks there may be several; one less closes one."""
        lab = ChangingLab(self, listen=["udp:0", "udp:0", "udp:1199"])
        first = lab.service.ports[0]
        lab.change(listen=["udp:0", "udp:1199"])
        self.assertEqual(len(lab.service.ports), 2)
        self.assertIs(lab.service.ports[0], first)
        self.assertEqual(len(lab.network.sockets), 2)

    def test_one_that_cannot_be_opened(self) -> None:
        """Nothing has changed, and what was opened before it is closed."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"})
        before = dict(lab.network.sockets)
        taken = lab.reactor.listenUDP(5301, DatagramProtocol(), "127.0.0.1")
        with self.assertRaises(StartError) as raised:
            lab.prepare(listen=["udp:1199", "udp:5300", "udp:5301"])
        self.assertEqual(raised.exception.listener, "udp:5301:interface=127.0.0.1")
        taken.stopListening()
        lab.reactor.next_turn()
        self.assertEqual(lab.network.sockets, before)
        self.assertEqual(len(shown(lab.ask("www.lab"))), 1)

    def test_a_change_that_is_dropped(self) -> None:
        """Its new sockets are closed, and everything else is as it was."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"})
        before = dict(lab.network.sockets)
        lab.write("ips.txt", "www.lab,10.0.0.2,60\n")
        lab.prepare(listen=["udp:5300"]).cancel()
        lab.reactor.next_turn()
        self.assertEqual(lab.network.sockets, before)
        self.assertEqual(shown(lab.ask("www.lab")), ["www.lab. 60 IN A 10.0.0.1"])

    def test_the_listeners_alone(self) -> None:
        """Without files nothing else changes."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"})
        lab.write("ips.txt", "www.lab,10.0.0.2,60\n")
        config = ResolverConfig.model_validate(lab.config | {"listen": "udp:5300", "explain": False})
        lab.service.prepare(config, None).commit()
        lab.reactor.next_turn()
        self.assertEqual([port for _, port in lab.network.sockets], [5300])
        lab.network.deliver(b"www.lab", CLIENT, ("127.0.0.1", 5300))
        self.assertIn(b"10.0.0.1", lab.course_told())


class LogTests(SynchronousTestCase):
    """Where what is learned is kept."""

    def test_another_file(self) -> None:
        """It has all that is known, and what it had itself counts where nothing newer is known."""
        lab = ChangingLab(self)
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        lab.write("learned2", "a.example,10.0.0.9,600,1,1605280400.0\nb.course,10.0.0.2,600,1,1605280400.0\n")
        lab.change(learned=os.fspath(lab.folder / "learned2"))
        self.assertEqual(shown(lab.ask("a.example")), ["a.example. 600 IN A 192.0.2.1"])
        self.assertEqual(shown(lab.ask("b.course")), ["b.course. 512 IN A 10.0.0.2"])
        lab.resolve("c.example", "c.example. 600 A 192.0.2.3")
        lab.stop()
        self.assertEqual((lab.folder / "learned.dns").read_text().count("\n"), 1)
        self.assertEqual((lab.folder / "learned2.dns").read_text().count("\n"), 2)
        self.assertIn("b.course,10.0.0.2", (lab.folder / "learned2").read_text())
        lab.start()
        self.assertEqual(shown(lab.ask("a.example")), ["a.example. 600 IN A 192.0.2.1"])

    def test_none_any_more_and_one_again(self) -> None:
        """What is learned between stands there afterwards."""
        lab = ChangingLab(self)
        lab.change(learned=None)
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        lab.change(learned=os.fspath(lab.folder / "learned"))
        lab.restart()
        self.assertEqual(len(shown(lab.ask("a.example"))), 1)

    def test_a_records_file_that_is_the_log(self) -> None:
        """Its static lines are read again, its learned ones are known already."""
        lab = ChangingLab(self, parents=["text:192.0.2.53:1200"])
        path = lab.write("learned", "www.lab,10.0.0.1,60\n")
        lab.change(records=[path], learned=path)
        lab.course("a.course")
        lab.network.deliver(b"a.course,10.0.0.5,600", COURSE, lab.take(COURSE).source)
        self.assertIn(b"10.0.0.5", lab.course_told())
        lab.pass_time(2)
        content = (lab.folder / "learned").read_text()
        self.assertIn("a.course,10.0.0.5,600,1,", content)
        lab.write("learned", content.replace("10.0.0.1", "10.0.0.2"))
        lab.change()
        for name, address in ("www.lab", b"10.0.0.2"), ("a.course", b"10.0.0.5"):
            lab.course(name)
            self.assertIn(address, lab.course_told())


class DrainTests(SynchronousTestCase):
    """The end begins: nothing new is taken, what is in flight is answered."""

    def drained(self, lab: Lab) -> list[object]:
        """What has a value once the resolver is drained."""
        done: list[object] = []
        lab.service.drain().addCallback(done.append)
        return done

    def test_where_nothing_is_in_flight(self) -> None:
        """It is drained at once."""
        self.assertEqual(self.drained(ChangingLab(self)), [None])

    def test_what_is_in_flight_is_answered_first(self) -> None:
        """The client has the answer before it counts as drained."""
        lab = ChangingLab(self)
        lab.begin("a.example")
        lab.course("b.example", OTHER_CLIENT)
        queries = list(lab.network.sent)
        done = self.drained(lab)
        lab.pass_time(0.1)
        self.assertEqual(done, [])
        lab.network.sent.clear()
        lab.tell(queries[0], "a.example. 600 A 192.0.2.1")
        lab.pass_time(0.1)
        self.assertEqual(done, [])
        lab.tell(queries[1], "b.example. 600 A 192.0.2.2")
        self.assertEqual(len(shown(lab.told())), 1)
        self.assertIn(b"192.0.2.2", lab.course_told(OTHER_CLIENT))
        lab.pass_time(0.1)
        self.assertEqual(done, [None])

    def test_a_stop_meanwhile_gives_up(self) -> None:
        """No timer is left."""
        lab = ChangingLab(self)
        lab.begin("a.example")
        query = lab.asked()
        done = self.drained(lab)
        lab.stop()
        self.assertEqual(done, [])
        self.assertEqual(rcode(lab.told()), "SERVFAIL")
        self.assertFalse(query.socket.is_open)

    def test_ports_take_nothing_more(self) -> None:
        """UDP is not read, TCP is closed."""
        lab = ChangingLab(self)
        stopped: list[str] = []
        lab.port().stopReading = lambda: stopped.append("udp")
        closed: Deferred[None] = Deferred()
        closed.callback(None)

        def stop() -> Deferred[None]:
            stopped.append("tcp")
            return closed

        (listener,) = lab.service._listeners.regular
        assert listener._tcp is not None
        listener._tcp.stopListening = stop
        lab.service.drain()
        lab.service.drain()
        self.assertEqual(stopped, ["udp", "tcp", "udp"])


class AskedTests(SynchronousTestCase):
    """What a resolver says of itself."""

    def test_status(self) -> None:
        """It can be written as JSON; a parent that is down says when it is asked again."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, parents=["dns:192.0.2.53"], parent_tries=1)
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        lab.ask("a.example", client=OTHER_CLIENT)
        for number in range(3):
            lab.begin(f"b{number}.example")
            lab.asked()
            lab.pass_time(2.5)
            lab.told()
        lab.begin("c.example")
        status = json.loads(json.dumps(lab.service.status()))
        self.assertEqual((status["name"], status["records"], status["in_flight"]), ("main", 1, 1))
        self.assertEqual((status["cache"]["entries"], status["cache"]["misses"]), (1, 5))
        (parent,) = status["parents"]
        self.assertEqual((parent["domain"], parent["address"], parent["up"]), (".", "192.0.2.53:53", False))
        self.assertGreater(parent["asked_again_in"], 0)

    def test_hits_and_misses(self) -> None:
        """Each question counts once; one that the records answer not at all."""
        lab = ChangingLab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, packet_cache_bytes=0)
        lab.ask("www.lab")
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        for _ in range(3):
            lab.ask("a.example")
        cache = lab.service.status()["cache"]
        self.assertEqual((cache["hits"], cache["misses"]), (3, 1))

    def test_samples_are_of_declared_families(self) -> None:
        """With as many labels as those have."""
        lab = ChangingLab(self)
        lab.resolve("a.example", "a.example. 600 A 192.0.2.1")
        samples = list(lab.service.samples())
        for sample in samples:
            self.assertEqual(len(FAMILIES[sample.name].labels), len(sample.labels), sample)
        values = {sample.name: sample.value for sample in samples}
        self.assertEqual((values["labnet_cache_entries"], values["labnet_in_flight"]), (1, 0))


class ForgetTests(SynchronousTestCase):
    """A name is flushed."""

    def setUp(self) -> None:
        self.lab = ChangingLab(self)
        for name in "a.example", "www.a.example", "ba.example":
            self.lab.resolve(name, f"{name}. 600 A 192.0.2.1")
        answer = ("alias.test. 600 CNAME www.a.example.", "www.a.example. 600 A 192.0.2.1")
        self.lab.resolve("alias.test", *answer)

    def is_known(self, name: str) -> bool:
        """Whether no parent is asked for it."""
        self.lab.begin(name)
        if self.lab.network.sent[0].destination == PARENT:
            self.lab.tell(self.lab.asked(), rcode="SERVFAIL")
            self.lab.told()
            return False
        self.lab.told()
        return True

    def test_the_name_and_all_below_it_are_asked_anew(self) -> None:
        """As is what leads there; names beside it stay."""
        self.assertEqual(self.lab.service.flush("A.example."), 3)
        known = [self.is_known(name) for name in ("a.example", "www.a.example", "alias.test", "ba.example")]
        self.assertEqual(known, [False, False, False, True])

    def test_after_a_restart_too(self) -> None:
        """The logs have it no more."""
        self.lab.service.flush("a.example")
        self.lab.restart()
        self.assertFalse(self.is_known("a.example"))
        self.assertTrue(self.is_known("ba.example"))

    def test_everything(self) -> None:
        """Below the root is all there is, with names that DNS cannot carry."""
        self.assertEqual(self.lab.service.flush("."), 4)
        self.assertEqual(self.lab.service.flush("."), 0)

    def test_a_failure(self) -> None:
        """It is asked again at once."""
        self.lab.begin("c.example")
        self.lab.tell(self.lab.asked(), rcode="SERVFAIL")
        self.lab.told()
        self.lab.service.flush("c.example")
        self.lab.begin("c.example")
        self.lab.asked("c.example")


class DumpTests(SynchronousTestCase):
    """What is learned, for people."""

    def test_lines(self) -> None:
        """Records with what is left of their TTL; what is none is a comment."""
        lab = ChangingLab(self, parents=["dns:192.0.2.53"], forward={"course": ["text:192.0.2.53:1200"]})
        lab.resolve("a.example", "a.example. 600 CNAME B.example.", "B.example. 300 A 192.0.2.1")
        lab.resolve("none.example", authority=["example. 600 SOA ns.example. h.example. 1 2 3 4 500"], rcode="NXDOMAIN")
        lab.resolve("empty.example", authority=["example. 600 SOA ns.example. h.example. 1 2 3 4 500"])
        lab.course("odd.course")
        lab.network.deliver(b"odd.course,21.09.1992.8,60", COURSE, lab.take(COURSE).source)
        lab.course_told()
        lab.pass_time(10)
        self.assertEqual(
            list(lab.service.learning.dump()),
            [
                "a.example. 590 IN CNAME B.example. ; 192.0.2.53:53",
                "B.example. 290 IN A 192.0.2.1 ; 192.0.2.53:53",
                "; none.example. 490 IN A NXDOMAIN ; 192.0.2.53:53",
                "; empty.example. 490 IN A NODATA ; 192.0.2.53:53",
                "; odd.course. 50 IN A '21.09.1992.8' is no IP address ; 192.0.2.53:1200",
            ],
        )
        lab.pass_time(60)
        self.assertEqual(len(list(lab.service.learning.dump())), 4)

    def test_a_record_that_cannot_be_shown(self) -> None:
        """Is told by its bytes (RFC 3597); nothing in a name or source obeys a terminal."""
        rrset = RRset(key_of("a\x1b[2J.b"), RRType.A, 60, (b"\x01",))
        entry = Entry(Answer(Rcode.NOERROR, (rrset,)), 0.0, 60, "x\ny")
        lines = list(dump_lines(Question(rrset.key, RRType.A), entry, 0.0))
        self.assertEqual(lines, ["a\\027[2j.b. 60 IN A \\# 1 01 ; x\\ny"])
