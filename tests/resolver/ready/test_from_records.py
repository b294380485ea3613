"""Tests for :mod:`labnet.resolver.ready.from_records`: replies are the full path's, byte for byte."""

from __future__ import annotations

from functools import cache
from itertools import count

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import HEAD, NO_KEY, key_of
from labnet.resolver.ready.from_records import Made, SingleAddressReplies
from labnet.resolver.records.zone import Zone
from labnet.wire.names import key_of as name_key
from labnet.wire.types import RRset, RRType
from tests.resolver.lab import CLIENT, Lab

ZONE = """$ORIGIN lab.
$TTL 60
@ SOA ns root 1 2 3 4 5
@ NS ns
ns A 10.0.0.2
one A 10.0.0.1
other 300 A 10.0.0.3
Upper A 10.0.0.4
two A 10.0.0.5
two A 10.0.0.6
six AAAA 2001:db8::1
text A 10.0.0.7
text TXT more
*.wild A 10.0.0.8
alias CNAME one
"""
NAMES = ("one", "other", "upper", "two", "six", "text", "a.wild", "alias", "none", "ns")


class PlainTests(SynchronousTestCase):
    """The same questions, once answered on the full path and once from what was learned of their shape."""

    def compare(self, lab: Lab, names: tuple[str, ...] = NAMES, origin: str = ".lab") -> int:
        """Ask all, with and without EDNS, twice and anew; gives how many the second time were made of the records."""
        made = 0
        for edns in (-1, 0):
            for name in names:
                for spelled in (name, name.upper()):
                    query = dns.message.make_query(spelled + origin, "A", use_edns=edns, id=7).to_wire()
                    replies = []
                    for _ in range(2):
                        lab.send(query)
                        replies.append(lab.take(CLIENT).payload)
                    lab.service.packets.dns.clear()
                    known = lab.service.packets.from_records.find_all([key_of(query, 2)])[0]
                    lab.service.packets.change(1_000_000, lab.service.packets.from_records.zone)
                    lab.send(query)  # nothing is known of its shape: the full path
                    replies.append(lab.take(CLIENT).payload)
                    if name != "two":  # in any order
                        self.assertEqual(len(set(replies)), 1, spelled)
                    if known is not None:
                        made += 1
                        self.assertEqual(query[:2] + known[0], replies[-1])
        return made

    def test_both_ways_say_the_same(self) -> None:
        """Names with one IPv4 address and nothing else are answered from the records, all others on the full path."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"], reverse=False)
        self.assertEqual(self.compare(lab), 2 * 2 * len(("one", "other", "ns")))

    def test_records_outside_of_zones_are_not_authoritative(self) -> None:
        """The shape of a reply knows whose the name is: AA is set in the zone alone."""
        lab = Lab(self, {"lab.zone": ZONE, "hosts": "10.1.1.1 printer.office\n"}, zones=["lab"])
        for name, flag in (("one.lab", True), ("printer.office", False)) * 2:
            self.assertEqual(bool(lab.ask(name).flags & 0x0400), flag)
        self.compare(lab, ("printer",), ".office")

    def test_below_a_delegation_nothing_is_made(self) -> None:
        """Where a zone has delegations, a record may be glue: the full path knows."""
        lab = Lab(self, {"lab.zone": ZONE + "sub NS ns.sub\nns.sub A 10.0.0.9\n"}, zones=["lab"], parents=[])
        self.assertEqual(self.compare(lab, (*NAMES, "ns.sub", "x.sub")), 0)

    def test_name_with_a_zero_byte_is_no_other_name(self) -> None:
        """A zero byte inside of a label ends no name."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"])
        lab.ask("one.lab")
        query = dns.message.make_query("one.lab", "A", use_edns=-1).to_wire()
        odd = query[:12] + b"\4one\0" + query[16:]
        lab.send(odd)
        self.assertEqual(dns.message.from_wire(lab.take(CLIENT).payload).rcode(), 3)

    def test_changed_records_change_the_answer(self) -> None:
        """Nothing of the records before a reload is told after it."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"])
        lab.ask("one.lab")
        other = Lab(self, {"lab.zone": ZONE.replace("10.0.0.1\n", "10.9.9.9\n")}, zones=["lab"])
        lab.service.packets.change(1_000_000, other.service.packets.from_records.zone)
        query = dns.message.make_query("one.lab", "A").to_wire()
        self.assertEqual(lab.service.packets.from_records.find_all([key_of(query, 2)]), [None])

    def test_shapes_are_bounded(self) -> None:
        """A client that asks in ever other shapes fills no memory."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"], rate_limit=0)
        for payload in range(512, 1232):
            lab.send(dns.message.make_query("one.lab", "A", use_edns=0, payload=payload).to_wire())
            lab.take(CLIENT)
        self.assertLessEqual(len(lab.service.packets.from_records), 200)


def question(name: str, rrtype: str = "A", edns: int = -1, id: int = 7) -> bytes:
    return dns.message.make_query(name, rrtype, use_edns=edns, id=id).to_wire()


@cache
def nowhere() -> str:
    """The name that stands in the index of a zone where no name at all would be looked for."""
    return next(name for name in map("s{}.lab".format, count()) if hash(name_key(name)) & 0xFFFF == hash(b""))


class BulkTests(SynchronousTestCase):
    """Many questions at a time, to a zone of some thousand names."""

    def setUp(self) -> None:
        self.odd, self.long = nowhere(), ".".join(["label"] * 12) + ".lab"
        names = [*(f"h{number}.lab" for number in range(3000)), self.odd, self.long]
        bulk = "".join(f"{name}. 60 IN A 10.1.{n >> 8}.{n & 255}\n" for n, name in enumerate(names))
        self.lab = Lab(self, {"lab.zone": ZONE, "bulk.zone": bulk}, zones=["lab"])
        zone = self.lab.service.packets.from_records.zone
        assert zone is not None
        self.assertGreater(len(zone.data.records.bulk()), 3000)
        self.zone: Zone = zone
        for edns in -1, 0:
            self.told(question("h0.lab", edns=edns))

    def told(self, asked: bytes) -> bytes:
        """What the full path answers."""
        self.lab.service.packets.dns.clear()
        self.lab.send(asked)
        return self.lab.take(CLIENT).payload

    def made(self, *questions: bytes) -> list[Made | None]:
        return self.lab.service.packets.from_records.find_all([key_of(one, 2) for one in questions])

    def test_each_has_its_own(self) -> None:
        """In their order, whatever stands between them, and as often as they are there."""
        single = [question(name, edns=edns) for name in ("h7.lab", "H8.Lab", self.odd, "one.lab") for edns in (-1, 0)]
        others = [
            question("none.lab"),
            question("h7.lab", "AAAA"),
            question("lab"),
            question("."),
            question("h7.lab", "A").replace(b"\1\0\0\1", b"\0\0\0\1", 1),
            b"\0\1",
            b"",
            single[0] + b"\0",
        ]
        made = self.made(*single, *others, *single)
        for asked, one in zip(single, made[: len(single)], strict=True):
            assert one is not None
            self.assertEqual(asked[:2] + one[0], self.told(asked))
            self.assertIs(one[1], made[0][1] if made[0] else None)
        self.assertEqual(made[len(single) : -len(single)], [None] * len(others))
        self.assertEqual(made[-len(single) :], made[: len(single)])
        self.assertEqual(made, [self.made(asked)[0] for asked in (*single, *others, *single)])
        self.assertEqual(self.made(), [])

    def test_names_that_are_not_there(self) -> None:
        """Have nothing, whatever stands in the index where they are looked for; nor those of another length."""
        absent = [f"x{number}.lab" for number in range(5000)] + [f"h{number}" for number in range(1000)]
        records = self.zone.one_addresses([name_key(name) for name in absent])
        self.assertEqual([name for name, record in zip(absent, records, strict=True) if record is not None], [])
        self.assertEqual(self.made(*map(question, absent[::100])), [None] * len(absent[::100]))

    def test_without_records(self) -> None:
        """There is nothing for any."""
        self.assertEqual(SingleAddressReplies().find_all([key_of(question("h7.lab"), 2)] * 3), [None] * 3)

    def test_a_long_question(self) -> None:
        """Has its reply by the whole of its key, and none by what the head of its slot holds."""
        asked = question(self.long)
        self.assertGreater(len(asked), HEAD)
        whole = key_of(asked, 2)
        cut = whole[: HEAD - 2] + whole[-4:]
        (made, none) = self.lab.service.packets.from_records.find_all([whole, cut])
        self.assertIsNotNone(made)
        self.assertIsNone(none)
        self.assertEqual(made and asked[:2] + made[0], self.told(asked))
        self.assertEqual(self.lab.service.packets.from_records.find_all([cut, whole]), [None, made])

    def test_a_question_that_breaks_off(self) -> None:
        """Is none, wherever: what its key is filled up with is no end of its name and no type."""
        for name in "h7.lab", self.odd, self.long:
            for edns in -1, 0:
                whole = question(name, edns=edns)
                cut = [whole[:length] for length in range(len(whole))]
                self.assertEqual(self.made(*cut), [None] * len(cut), name)
                self.assertEqual(self.made(*[one + bytes(9) for one in cut[:-9]]), [None] * len(cut[:-9]), name)

    def test_a_name_without_an_end(self) -> None:
        """Is no name of the zone's, not even no name at all."""
        header = b"\0\1" + b"\1\0\0\1" + bytes(6)
        for rest in (b"abc", b"a" * 64, b"a" * 65, b"a" * 200, b"\2h7\3lab", b"\2h7\3la", b""):
            self.assertEqual(self.made(question("h7.lab"), header + rest)[1:], [None], rest)
        self.assertEqual(self.zone.one_addresses([name_key("none.lab"), name_key(self.odd)])[0], None)
        self.assertEqual(self.lab.service.packets.from_records.find_all([NO_KEY]), [None])

    def test_a_question_that_is_asked_several_times_at_once(self) -> None:
        """Is kept once, and takes the bytes of one."""
        packets = self.lab.service.packets
        keys = [key_of(question("h7.lab"), 2), key_of(question("h8.lab"), 2)]
        taken = []
        for together in (keys, keys[:1] * 100 + keys[1:]):
            packets.dns.clear()
            packets.make(together)
            self.assertEqual(set(packets.dns.packets), set(keys))
            taken.append(packets.dns.bytes)
        self.assertEqual(*taken)

    def test_a_name_that_came_again(self) -> None:
        """With another record it is one with two: the full path answers it; those beside it are found."""
        before = self.made(question("h7.lab"), question("h9.lab"), question(self.odd))
        self.zone.data.add(RRset(name_key("h8.lab"), RRType.A, 60, (b"\x0a\0\0\1",)))
        self.assertEqual(self.made(question("h7.lab"), question("h9.lab"), question(self.odd)), before)
        self.assertEqual(self.made(question("h8.lab"), b"\0\1" + bytes(10) + b"abc"), [None, None])
        self.assertEqual(self.zone.one_addresses([name_key("h8.lab"), name_key("h9.lab")])[0], None)
