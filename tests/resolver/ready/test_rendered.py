"""Tests for :mod:`labnet.resolver.ready.rendered`: replies that are a client's own, given again but for that."""

from __future__ import annotations

from collections import Counter
from typing import Any

import dns.edns
import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.counts import Cell
from labnet.resolver.clients.transport import Transport
from labnet.resolver.engine.resolver import Resolver
from labnet.resolver.ready.rendered import RenderedReplies, key_of
from labnet.wire.dns_request import Query, decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.types import Answer, Rcode, RRset
from tests.resolver.dnsfakes import A, rrset, wire
from tests.resolver.lab import CLIENT, Lab, errors, shown

CELL = Cell("udp", "dns", "NOERROR", "records")
COOKIE = dns.edns.GenericOption(10, b"8 bytes.")
MANY = (
    "$TTL 60\n" + "".join(f"big.lab. A 10.1.{n // 250}.{n % 250 + 1}\n" for n in range(4000)) + "one.lab. A 10.0.0.1\n"
)


def query(
    name: str = "www.lab", id: int = 7, options: tuple[dns.edns.Option, ...] = (COOKIE,), payload: int = 1232
) -> bytes:
    return dns.message.make_query(name, "A", use_edns=0, payload=payload, options=list(options), id=id).to_wire()


def asked(
    name: str = "www.lab", id: int = 7, options: tuple[dns.edns.Option, ...] = (COOKIE,), payload: int = 1232
) -> Query:
    return decode_query(query(name, id, options, payload))


def addresses(count: int) -> RRset:
    return rrset("www.lab", 60, A, *[b"\x0a\0\0" + bytes((number,)) for number in range(count)])


def hole(letter: bytes) -> bytes:
    """A cookie as the server makes it."""
    return letter * 24


class RenderedRepliesTests(SynchronousTestCase):
    """Kept and found."""

    def setUp(self) -> None:
        self.replies = RenderedReplies(100_000)

    def put(self, question: Query, answer: Answer, until: float = 100.0, stream: bool = True) -> None:
        reply = encode_answer(question, answer, stream, True, Options(hole(b"A"), b"nsid"))
        self.replies.put(key_of(question, Transport(stream)), reply, answer, hole(b"A"), until, CELL)

    def test_id_letters_and_cookie_are_the_askers_own(self) -> None:
        """All else is what would be encoded for it, byte for byte."""
        answer = Answer(Rcode.NOERROR, (addresses(1),))
        self.put(asked(), answer)
        other = asked("WwW.lab", 99, (dns.edns.GenericOption(10, b"anothers"),))
        found = self.replies.find(key_of(other, Transport.TCP), 99.0)
        assert found is not None
        expected = encode_answer(other, answer, True, True, Options(hole(b"B"), b"nsid"))
        self.assertEqual((found.to(other, hole(b"B")), found.cell), (expected, CELL))

    def test_addresses_take_turns_as_in_a_reply_that_is_made_anew(self) -> None:
        """Each is the first for as many ids, behind a chain too."""
        alias = rrset("www.lab", 60, 5, wire("a.lab"))
        behind = rrset("a.lab", 60, A, *addresses(5).rdatas)
        for answer in (Answer(Rcode.NOERROR, (addresses(5),)), Answer(Rcode.NOERROR, (alias, behind))):
            self.put(asked(), answer)
            firsts: Counter[str] = Counter()
            for id in range(50):
                question = asked(id=id)
                found = self.replies.find(key_of(question, Transport.TCP), 0.0)
                assert found is not None
                message = dns.message.from_wire(found.to(question, hole(b"B")))
                self.assertEqual(len(message.answer[-1]), 5)
                firsts[message.answer[-1][0].to_text()] += 1
            self.assertEqual(set(firsts.values()), {10})

    def test_options_that_change_nothing_do_not_count(self) -> None:
        """Those that do make another question of it: who asks could miss what is kept by each of them."""
        same = key_of(asked(), Transport.TCP)
        padded = asked(options=(COOKIE, dns.edns.GenericOption(12, b"0" * 99)))
        self.assertEqual(key_of(padded, Transport.TCP), same)
        self.assertEqual(key_of(asked(payload=4096), Transport.UDP), key_of(asked(), Transport.UDP))
        no_cookie, nsid = asked(options=()), asked(options=(COOKIE, dns.edns.GenericOption(3, b"")))
        for other in (
            key_of(no_cookie, Transport.TCP),
            key_of(nsid, Transport.TCP),
            key_of(asked(), Transport.UDP),
            key_of(asked("x.lab"), Transport.TCP),
        ):
            self.assertNotEqual(other, same)
        self.assertNotEqual(key_of(asked(payload=512), Transport.UDP), key_of(asked(), Transport.UDP))

    def test_it_holds_until_its_second(self) -> None:
        """Then it is gone, with its bytes."""
        self.put(asked(), Answer(Rcode.NOERROR, (addresses(1),)), until=100.0)
        self.assertIsNone(self.replies.find(key_of(asked(), Transport.TCP), 100.0))
        self.assertEqual(self.replies.bytes, 0)

    def test_what_was_used_longest_ago_goes(self) -> None:
        """Where there is no room for another; one that is too large by itself is not kept."""
        names = [f"n{number}.lab" for number in range(80)]
        answer = Answer(Rcode.NOERROR, (addresses(30),))
        for name in names:
            self.put(asked(name), answer)
            self.assertIsNotNone(self.replies.find(key_of(asked(names[0]), Transport.TCP), 0.0), name)
        self.assertLessEqual(self.replies.bytes, 100_000)
        self.assertIsNone(self.replies.find(key_of(asked(names[1]), Transport.TCP), 0.0))
        self.replies.resize(100)
        self.put(asked(), answer)
        self.assertEqual(self.replies.bytes, 0)


class ResponderTests(SynchronousTestCase):
    """Through a whole resolver."""

    def setUp(self) -> None:
        self.lab = Lab(self, {"db.lab": MANY})
        self.looked = 0
        known = Resolver.known

        def counted(*given: Any) -> Answer | None:
            self.looked += 1
            return known(*given)

        self.patch(Resolver, "known", counted)

    def ask(self, name: str, *more: dns.edns.Option) -> dns.message.Message:
        self.lab.send(query(name, CLIENT[1], (COOKIE, *more)))
        return self.lab.told()

    def test_a_question_with_a_cookie_is_worked_out_once(self) -> None:
        """The largest RRset's, which is truncated, as well as a small one; options that nobody knows change nothing."""
        for name in ("big.lab", "one.lab"):
            first = self.ask(name)
            again = self.ask(name, dns.edns.GenericOption(65001, b"random"))
            self.assertEqual(again.to_text(), first.to_text(), name)
        self.assertEqual(self.looked, 2)

    def test_what_is_learned_is_given_again_within_its_second(self) -> None:
        """Then its TTL is another."""
        self.lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        self.looked = 0
        told = []
        for seconds in (0.2, 0.2, 0.2, 0.6):
            told += shown(self.ask("web.example"))
            self.lab.pass_time(seconds)
        told += shown(self.ask("web.example"))
        self.assertEqual(told, ["web.example. 60 IN A 192.0.2.1"] * 4 + ["web.example. 59 IN A 192.0.2.1"])
        self.assertEqual(self.looked, 2)

    def test_new_records_are_told_at_once(self) -> None:
        """A reload, or a flush, forgets what is kept."""
        self.ask("one.lab")
        self.lab.service.flush("lab")
        self.ask("one.lab")
        self.assertEqual(self.looked, 2)

    def test_who_may_not_recurse_gets_nothing_of_it(self) -> None:
        """What is kept is for those who may have everything."""
        self.lab.stop()
        self.lab = Lab(self, recursion=[f"{CLIENT[0]}/32"])
        self.lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        self.assertTrue(shown(self.ask("web.example")))
        other = ("172.16.20.66", CLIENT[1])
        self.lab.send(query("web.example", CLIENT[1]), other)
        self.assertIn("The client's network gets the records alone.", " ".join(errors(self.lab.told(other))))
