"""Tests for :mod:`labnet.resolver.packetcache`."""

from __future__ import annotations

import math

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.batches import key_of
from labnet.resolver.counts import Cell
from labnet.resolver.packetcache import PacketCache, PacketCaches

CELL = Cell("udp", "dns", "NOERROR", "records")
HEADER = b"\1\0\0\1\0\0\0\0\0\0"
QUESTION = b"\3www\3lab\0\0\1\0\1"
BODY = b"\x81\x80\0\1\0\1\0\0\0\0" + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"


def told(cache: PacketCache, question: bytes, now: float) -> bytes | None:
    """The answer that ``cache`` has."""
    packet = cache.find(question, now)
    return packet and packet[2]


class PacketCacheTests(SynchronousTestCase):
    """A packet cache gives an answer back until its time, and keeps no more bytes than it may."""

    def test_answer_holds_until_its_time(self) -> None:
        """An answer is given before ``until``, and from then on not."""
        cache = PacketCache(10_000)
        cache.keep(b"q", b"a", 100.0, CELL)
        self.assertEqual(told(cache, b"q", 99.9), b"a")
        self.assertIsNone(cache.find(b"q", 100.0))
        self.assertIsNone(cache.find(b"other", 0.0))

    def test_bytes_are_bounded(self) -> None:
        """Past the bound what was put in first goes first; the count of bytes comes back to zero."""
        cache = PacketCache(950)
        for question in (b"a", b"b", b"c"):
            cache.keep(question, b"x" * 10, math.inf, CELL)
        self.assertEqual(list(cache.packets), [key_of(b"b", 0), key_of(b"c", 0)])
        self.assertLessEqual(cache.bytes, 950)
        cache.keep(b"b", b"y" * 10, math.inf, CELL)
        self.assertEqual(told(cache, b"b", 0.0), b"y" * 10)
        cache.clear()
        self.assertEqual((cache.bytes, len(cache.packets)), (0, 0))

    def test_the_table_is_never_another_one(self) -> None:
        """Who holds the table sees what is kept and cleared later."""
        cache = PacketCache(10_000)
        table = cache.packets
        cache.keep(b"q", b"a", math.inf, CELL)
        self.assertIn(key_of(b"q", 0), table)
        cache.clear()
        self.assertEqual(table, {})

    def test_none_are_kept_without_room(self) -> None:
        """With no bytes to use nothing is kept."""
        cache = PacketCache(0)
        cache.keep(b"q", b"a", math.inf, CELL)
        self.assertEqual((cache.bytes, cache.packets), (0, {}))


class PacketCachesTests(SynchronousTestCase):
    """Both protocols' answers are found by the question's bytes, and never in the other protocol's place."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.caches = PacketCaches(10_000, self.clock)

    def told(self, datagram: bytes, now: float) -> bytes | None:
        """The reply that is known."""
        found = self.caches.find(datagram, now)
        return found and found[0]

    def test_id_is_the_askers(self) -> None:
        """A DNS answer comes back with the id of each question."""
        self.caches.keep_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        for id in (b"\0\1", b"\xab\xcd"):
            self.assertEqual(self.told(id + HEADER + QUESTION, 1000.0), id + BODY)

    def test_case_is_the_askers(self) -> None:
        """A question in mixed case finds the same answer, with its own case in the question (0x20)."""
        mixed = QUESTION.replace(b"www", b"wWw").replace(b"lab", b"LaB")
        self.caches.keep_dns(
            b"\0\1" + HEADER + mixed, b"\0\1" + BODY.replace(QUESTION, mixed), mixed[:9], math.inf, CELL
        )
        self.assertEqual(self.told(b"\0\2" + HEADER + QUESTION, 1000.0), b"\0\2" + BODY)
        other = QUESTION.replace(b"www", b"WWW")
        self.assertEqual(self.told(b"\0\3" + HEADER + other, 1000.0), b"\0\3" + BODY.replace(QUESTION, other))

    def test_type_is_not_folded_with_the_name(self) -> None:
        """An answer for HTTPS (65, an ``A`` in ASCII) is none for type 97 (an ``a``), whatever the name's case."""
        asked = b"\0\1" + HEADER + QUESTION[:9]
        self.caches.keep_dns(asked + b"\0\x41\0\1", asked + b"\0\x41\0\1", QUESTION[:9], math.inf, CELL)
        self.assertIsNone(self.caches.find(asked + b"\0\x61\0\1", 1000.0))
        self.assertIsNotNone(self.caches.find(asked.replace(b"www", b"WwW") + b"\0\x41\0\1", 1000.0))

    def test_flags_make_another_question(self) -> None:
        """A question with other flags or counts is not answered by this one's answer."""
        self.caches.keep_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        self.assertIsNone(self.caches.find(b"\0\1" + b"\1\x10" + HEADER[2:] + QUESTION, 1000.0))

    def test_course_names_are_not_confused_by_their_first_two_bytes(self) -> None:
        """A name is found by all of its bytes: ``xxwww.lab`` is not ``www.lab``."""
        self.caches.course.keep(b"www.lab", b"[]", math.inf, CELL)
        self.assertEqual(self.told(b"www.lab", 1000.0), b"[]")
        self.assertIsNone(self.caches.find(b"xxwww.lab", 1000.0))

    def test_runts_find_nothing(self) -> None:
        """Less than a header is no question that was kept."""
        self.caches.keep_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        for length in range(12):
            self.assertIsNone(self.caches.find((b"\0\1" + HEADER)[:length], 1000.0))

    def test_clock_set_back_clears(self) -> None:
        """When the time goes back, answers that would hold for too long are forgotten."""
        self.caches.course.keep(b"www.lab", b"[]", 1001.0, CELL)
        self.assertEqual(self.caches.seconds(), 1000)
        self.assertIsNotNone(self.caches.find(b"www.lab", 1000.0))
        self.clock.rightNow = 10.0
        self.caches.seconds()
        self.assertIsNone(self.caches.find(b"www.lab", 10.0))

    def test_clear_forgets_both(self) -> None:
        """Changed records are never answered from what was known before."""
        self.caches.course.keep(b"www.lab", b"[]", math.inf, CELL)
        self.caches.keep_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        self.caches.clear()
        self.assertIsNone(self.caches.find(b"www.lab", 0.0))
        self.assertIsNone(self.caches.find(b"\0\1" + HEADER + QUESTION, 0.0))
