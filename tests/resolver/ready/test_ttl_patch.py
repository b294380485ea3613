"""Tests for :mod:`labnet.resolver.ready.ttl_patch`: ready answers that are patched say what the full path would say."""

from __future__ import annotations

from typing import Any

import dns.edns
import dns.message
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import key_of as key_in
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.ready.ttl_patch import Ageing, ageing_of
from labnet.wire.dns_common import record_places
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.types import Answer, Rcode, RRset
from tests.resolver.dnsfakes import AAAA, CNAME, A, question, reply_to, rrset, wire
from tests.resolver.lab import CLIENT, COURSE, EPOCH, PARENT, Lab, errors, shown

SOA = "example. {} SOA ns.example. h.example. 1 2 3 4 {}"
ZONE = "$ORIGIN lab.\n$TTL 60\naway IN CNAME web.example.\nwww IN A 10.0.0.1\n"

SHAPES = {
    "address": (["web.example. {one} A 192.0.2.1"],),
    "addresses": (["web.example. {one} A 192.0.2.1", "web.example. {one} A 192.0.2.2"],),
    "chain": (["web.example. {one} CNAME x.example.", "x.example. {two} A 192.0.2.1"],),
    "chain of two answers": (["x.example. {one} A 192.0.2.1"], ["web.example. {two} CNAME x.example."]),
    "chain into the records": (["web.example. {one} CNAME www.lab."],),
    "crowd": ([f"web.example. {{one}} A 192.0.2.{number}" for number in range(1, 75)],),
    "mail": (["web.example. {one} MX 1 a.web.example.", "web.example. {one} MX 2 bb.web.example."],),
    "text": (["web.example. {one} TXT some text"],),
    "NODATA": ([],),
    "NXDOMAIN": ([],),
}
"""What the parent tells: for each question asked of it, in this order, the last of them for web.example.

With the crowd there is no room for the text that says where it is from, and without EDNS none for the crowd itself.
"""

TYPES = {"mail": "MX", "text": "TXT"}
IN_ANY_ORDER = ("addresses", "crowd", "mail")


def query_of(name: str, rrtype: str = "A", edns: bool = True) -> bytes:
    """A query, always with the same id."""
    return dns.message.make_query(name, rrtype, use_edns=0 if edns else -1, payload=1232, id=7).to_wire()


def in_any_order(reply: bytes) -> list[str]:
    """A reply in lines, to be compared with one whose addresses come in another order."""
    return [str(len(reply)), *sorted(dns.message.from_wire(reply).to_text().split("\n"))]


class Pair:
    """Two labs that are told the same: one has ready answers, the other one works each out."""

    def __init__(self, test: SynchronousTestCase, **config: Any) -> None:
        self.ready = Lab(test, {"db.lab": ZONE}, **config)
        self.slow = Lab(test, {"db.lab": ZONE}, packet_cache_bytes=0, **config)
        self.labs = (self.ready, self.slow)

    def learn(self, shape: str, one: int, two: int) -> None:
        """Have both learn an answer of that shape, with these TTLs."""
        reply: dict[str, Any] = {"rcode": shape} if shape == "NXDOMAIN" else {}
        if not SHAPES[shape][-1]:
            reply["authority"] = [SOA.format(one, two)]
        for records in SHAPES[shape]:
            lines = [line.format(one=one, two=two) for line in records]
            name = lines[0].split()[0] if lines else "web.example"
            for lab in self.labs:
                lab.begin(name, TYPES.get(shape, "A"))
                query = lab.take(PARENT)
                lab.network.deliver(reply_to(query.payload, *lines, **reply), PARENT, query.source)
                lab.network.sent.clear()
            self.pass_time(0.6)

    def pass_time(self, seconds: float) -> None:
        for lab in self.labs:
            lab.pass_time(seconds)

    def told(self, query: bytes) -> tuple[bytes, bytes] | None:
        """What both tell; None once the parent is asked again."""
        replies = []
        for lab in self.labs:
            lab.send(query)
            replies.append([sent.payload for sent in lab.network.sent if sent.destination == CLIENT])
        if any(sent.destination == PARENT for sent in self.slow.network.sent):
            return None
        for lab in self.labs:
            lab.network.sent.clear()
        return replies[0][0], replies[1][0]

    def stop(self) -> None:
        for lab in self.labs:
            lab.stop()


class SameTests(SynchronousTestCase):
    """A patched answer is byte for byte what the full path says at that second."""

    def check(
        self, pair: Pair, shape: str, ttls: tuple[int, int], steps: list[float], name: str, edns: bool = True
    ) -> int:
        """Compare what both tell after each of ``steps``; how many ready answers were patched."""
        pair.learn(shape, *ttls)
        query = query_of(name, TYPES.get(shape, "A"), edns)
        for step in steps:
            told = pair.told(query)
            if told is None:
                break
            ready, slow = told
            if shape in IN_ANY_ORDER:
                self.assertEqual(in_any_order(ready), in_any_order(slow))
            else:
                self.assertEqual(ready, slow)
            pair.pass_time(step)
        pair.stop()
        return pair.ready.service.packets.dns.renewed

    def test_every_shape(self) -> None:
        """Of each shape the answers of all seconds but those at which the text grows longer are patched."""
        for shape in SHAPES:
            for edns in (True, False):
                renewed = self.check(Pair(self), shape, (40, 30), [1.0] * 40, "web.example", edns)
                # From the first second to nine tenths of 30 or 40 s; the text is longer from the 10th on.
                truncated = shape == "crowd" and not edns
                self.assertIn(renewed, [0] if truncated else range(24, 36), (shape, edns))

    @given(
        st.sampled_from(sorted(SHAPES)),
        st.tuples(st.integers(1, 150), st.integers(1, 150)),
        st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.2, 3.0, 17.7]), min_size=12, max_size=24),
        st.sampled_from(["web.example", "WEB.example", "away.lab"]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )
    def test_any(
        self,
        shape: str,
        ttls: tuple[int, int],
        steps: list[float],
        name: str,
        edns: bool,
        explain: bool,
        prefetch: bool,
    ) -> None:
        """Whatever the TTLs, the seconds between two questions, the client and the configuration."""
        self.check(Pair(self, explain=explain, prefetch=prefetch), shape, ttls, steps, name, edns)


class UseTests(SynchronousTestCase):
    """A patched answer is looked up in the cache, and goes the full path where that has changed."""

    def lab(self, told: str = "web.example. 100 A 192.0.2.1", **config: Any) -> Lab:
        """A lab that has learned web.example, and told it since."""
        lab = Lab(self, **config)
        lab.resolve("web.example", told)
        lab.ask("web.example")
        return lab

    def patched(self, lab: Lab, name: str = "web.example", rrtype: str = "A") -> bool:
        """Whether the question is answered by a patched answer."""
        before = lab.service.packets.dns.renewed
        lab.ask(name, rrtype)
        return lab.service.packets.dns.renewed > before

    def test_once_a_second(self) -> None:
        """Within the second the ready answer serves; in the next one it is patched, for a batch port too."""
        lab = self.lab()
        self.assertFalse(self.patched(lab))
        lab.pass_time(1)
        self.assertEqual(self.patched(lab), True)
        self.assertFalse(self.patched(lab))
        lab.pass_time(1)
        packets = lab.service.packets
        packets.seconds()
        key = key_in(query_of("web.example"), 2)
        made = packets.make([key, key, key_in(query_of("other.example"), 2)])
        self.assertEqual([one and one[0] for one in made], [packets.dns.packets[key][2]] * 2 + [None])
        self.assertEqual(packets.dns.renewed, 2)

    def test_counted_as_ready(self) -> None:
        """It is a ready answer to the counts."""
        lab = self.lab()
        lab.pass_time(1)
        lab.ask("web.example")
        counted = {sample.labels: sample.value for sample in lab.service.counts.samples()}
        self.assertEqual(counted["main", "udp", "dns", "NOERROR", "ready"], 1)

    def test_case_is_the_askers(self) -> None:
        """The letters of a name in mixed case come back as they are asked, in any second (0x20)."""
        lab = self.lab()
        for _ in range(3):
            lab.pass_time(1)
            lab.begin("wEb.EXAMPLE")
            self.assertEqual(lab.told().question[0].name.to_text(), "wEb.EXAMPLE.")
        self.assertEqual(lab.service.packets.dns.renewed, 3)

    def test_addresses_take_turns_from_second_to_second(self) -> None:
        """The first of several addresses is another one each time, also where each answer is patched."""
        lab = Lab(self)
        lab.resolve("web.example", *[f"web.example. 100 A 192.0.2.{number}" for number in (1, 2, 3)])
        lab.ask("web.example")
        firsts = []
        for _ in range(3):
            lab.pass_time(2)
            firsts.append(shown(lab.ask("web.example"))[0].split()[-1])
        self.assertEqual(lab.service.packets.dns.renewed, 3)
        self.assertEqual(len(set(firsts)), 3)

    def test_text_that_only_looks_like_ours(self) -> None:
        """What a parent told is passed on as it is, also where it ends the answer and reads as what labnet adds."""
        ours = "from the cache, learned 0 s ago from 192.0.2.53:53"
        told = dns.edns.EDEOption(dns.edns.EDECode.OTHER, ours)
        lab = Lab(self, explain=False)
        lab.resolve("web.example", f'web.example. 100 TXT "{ours}"', rrtype="TXT", options=[told])
        for edns in (True, False):
            for _ in range(2):
                lab.send(query_of("web.example", "TXT", edns))
                reply = dns.message.from_wire(lab.take(CLIENT).payload)
                self.assertEqual((shown(reply)[0].split('"')[1], errors(reply)), (ours, [ours] if edns else []))
                lab.pass_time(1)
        self.assertEqual(lab.service.packets.dns.renewed, 2)
        lab = Lab(self)
        lab.resolve("web.example", f'web.example. 100 TXT "{ours}"', rrtype="TXT")
        for _ in range(2):
            lab.send(query_of("web.example", "TXT", edns=False))
            self.assertIn(ours.encode(), lab.take(CLIENT).payload)
            lab.pass_time(1)
        self.assertEqual(lab.service.packets.dns.renewed, 1)

    def test_last_tenth_goes_the_full_path(self) -> None:
        """In the last tenth of its time the name is asked anew, and what comes of it is told from then on."""
        lab = self.lab()
        lab.pass_time(88)
        self.assertFalse(self.patched(lab))  # the text has another length by now
        lab.pass_time(1)
        self.assertTrue(self.patched(lab))
        lab.pass_time(1.5)
        lab.begin("web.example")
        self.assertEqual(shown(lab.told()), ["web.example. 10 IN A 192.0.2.1"])
        query = lab.asked("web.example")
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 10 IN A 192.0.2.1"])
        lab.tell(query, "web.example. 100 A 192.0.2.2")
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 100 IN A 192.0.2.2"])

    def test_other_worker_learned_it_anew(self) -> None:
        """An entry that has taken the place of the one that the answer was made of is told within the second."""
        lab = self.lab()
        entry = Entry(Answer(Rcode.NOERROR, (rrset("web.example", 100, A, b"\x0a\0\0\1"),)), EPOCH + 1, 100, "another")
        lab.pass_time(1)
        lab.service.learning.put(question("web.example"), entry)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 100 IN A 10.0.0.1"])

    def test_flushed_name_is_asked_anew(self) -> None:
        """What is flushed is not told from its bytes."""
        lab = self.lab()
        lab.pass_time(1)
        lab.service.flush("example")
        lab.resolve("web.example", "web.example. 100 A 192.0.2.2")

    def test_popular_name_stays_in_the_cache(self) -> None:
        """A name that is asked for each second is not the one that makes room, though its answer is ready."""
        lab = self.lab("web.example. 3600 A 192.0.2.1", cache_bytes=100_000)
        for number in range(300):
            lab.pass_time(1)
            lab.ask("web.example")
            lab.resolve(f"n{number}.example", f"n{number}.example. 3600 A 192.0.2.1")
        kept = [line.split()[0] for line in lab.service.learning.dump()]
        self.assertIn("web.example.", kept)
        self.assertNotIn("n0.example.", kept)
        self.assertGreater(lab.service.packets.dns.renewed, 290)

    def test_type_that_a_course_parent_does_not_know(self) -> None:
        """What is told of a type for want of better is patched only as long as there is nothing better."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"])
        lab.course("web.example")
        lab.network.deliver(b"web.example,192.0.2.1,100", COURSE, lab.take(COURSE).source)
        lab.course_told()
        lab.ask("web.example", "AAAA")
        lab.pass_time(3)
        self.assertTrue(self.patched(lab, rrtype="AAAA"))
        lab.pass_time(1)
        self.assertIn("from the cache, learned 4 s ago from 192.0.2.53:1200", errors(lab.ask("web.example", "AAAA")))
        lab.pass_time(1)
        address = rrset("web.example", 100, AAAA, bytes(16))
        entry = Entry(Answer(Rcode.NOERROR, (address,)), EPOCH + 5, 100, "another")
        lab.service.learning.put(question("web.example", AAAA), entry)
        self.assertEqual(shown(lab.ask("web.example", "AAAA")), ["web.example. 100 IN AAAA ::"])


class AgeingTests(SynchronousTestCase):
    """What cannot be patched is found out when it is kept."""

    def ageing(self, *rrsets: RRset, payload: int = 1232, source: str = "192.0.2.1:53", at: float = 5) -> Ageing | None:
        """How the answer of these RRsets, learned with a TTL of 100, ages at so many seconds."""
        cache, asked = Cache(1_000_000), question("web.example")
        cache.put(asked, Entry(Answer(Rcode.NOERROR, rrsets), 1000.0, 100, source))
        entry = cache.find(asked, 1000.0 + at)
        assert entry is not None
        query = dns.message.make_query("web.example", "A", use_edns=0, payload=payload).to_wire()
        answer = entry.aged(1000.0 + at)
        reply = encode_answer(decode_query(query), answer, False, True, Options())
        return ageing_of(reply, record_places(reply), answer, A, answer.origin, 1000.0 + at)

    def test_records_that_were_left_out(self) -> None:
        """A truncated reply, or one that leaves out what is there twice, is made anew each second."""
        some = [number.to_bytes(4, "big") for number in range(60)]
        self.assertIsNotNone(self.ageing(rrset("web.example", 100, A, *some)))
        self.assertIsNone(self.ageing(rrset("web.example", 100, A, *some), payload=512))
        self.assertIsNone(self.ageing(rrset("web.example", 100, A, b"\1\2\3\4", b"\1\2\3\4")))
        twice = (
            rrset("web.example", 100, CNAME, wire("x.example"), wire("y.example")),
            rrset("x.example", 100, A, some[0]),
        )
        self.assertIsNone(self.ageing(*twice))

    def test_entry_that_is_due(self) -> None:
        """In the last tenth there is nothing to be patched; before, it is the end."""
        address = rrset("web.example", 100, A, b"\1\2\3\4")
        ageing = self.ageing(address, at=89)
        assert ageing is not None
        self.assertAlmostEqual(ageing.until, 1090, 3)
        self.assertIsNone(self.ageing(address, at=90.5))

    def test_text_that_is_cut(self) -> None:
        """A text of more than 200 bytes, of which the number may push out what stands behind it, is made anew."""
        address = rrset("web.example", 100, A, b"\1\2\3\4")
        self.assertIsNone(self.ageing(address, source="x" * 200))
        self.assertIsNotNone(self.ageing(address, source="x" * 100))

    def test_answer_of_the_records(self) -> None:
        """What does not come from the cache does not age."""
        answer = Answer(Rcode.NOERROR, (rrset("www.lab", 60, A, b"\1\2\3\4"),))
        reply = encode_answer(decode_query(query_of("www.lab")), answer, False, True, Options())
        self.assertIsNone(ageing_of(reply, record_places(reply), answer, A, "", 1000.0))
        copy = Entry(answer, 1000.0, 60, "an entry that no cache has").aged(1000.0)
        self.assertIsNone(ageing_of(reply, record_places(reply), copy, A, "", 1000.0))
