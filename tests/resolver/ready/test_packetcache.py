"""Tests for :mod:`labnet.resolver.ready.packetcache`."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import key_of
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.clients.counts import Cell
from labnet.resolver.ready.packetcache import PacketCache, PacketCaches
from labnet.resolver.ready.ttl_patch import Ageing
from labnet.wire.types import Answer, Question, Rcode

CELL = Cell("udp", "dns", "NOERROR", "records")
HEADER = b"\1\0\0\1\0\0\0\0\0\0"
QUESTION = b"\3www\3lab\0\0\1\0\1"
BODY = b"\x81\x80\0\1\0\1\0\0\0\0" + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"


def told(cache: PacketCache, question: bytes, now: float) -> bytes | None:
    """The answer that ``cache`` has."""
    made = cache.find(question, now)
    return made and made[0]


class PacketCacheTests(SynchronousTestCase):
    """A packet cache gives an answer back until its time, and keeps no more bytes than it may."""

    def test_answer_holds_until_its_time(self) -> None:
        """An answer is given before ``until``, and from then on not."""
        cache = PacketCache(10_000)
        cache.put(b"q", b"a", 100.0, CELL)
        self.assertEqual(told(cache, b"q", 99.9), b"a")
        self.assertIsNone(cache.find(b"q", 100.0))
        self.assertIsNone(cache.find(b"other", 0.0))

    def test_bytes_are_bounded(self) -> None:
        """Past the bound what was put in first goes first; the count of bytes comes back to zero."""
        cache = PacketCache(950)
        for question in (b"a", b"b", b"c"):
            cache.put(question, b"x" * 10, math.inf, CELL)
        self.assertEqual(list(cache.packets), [key_of(b"b", 0), key_of(b"c", 0)])
        self.assertLessEqual(cache.bytes, 950)
        cache.put(b"b", b"y" * 10, math.inf, CELL)
        self.assertEqual(told(cache, b"b", 0.0), b"y" * 10)
        cache.clear()
        self.assertEqual((cache.bytes, len(cache.packets)), (0, 0))

    def test_the_table_is_never_another_one(self) -> None:
        """Who holds the table sees what is kept and cleared later."""
        cache = PacketCache(10_000)
        table = cache.packets
        cache.put(b"q", b"a", math.inf, CELL)
        self.assertIn(key_of(b"q", 0), table)
        cache.clear()
        self.assertEqual(table, {})

    def test_none_are_kept_without_room(self) -> None:
        """With no bytes to use nothing is kept."""
        cache = PacketCache(0)
        cache.put(b"q", b"a", math.inf, CELL)
        self.assertEqual((cache.bytes, cache.packets), (0, {}))


class AgeingTests(SynchronousTestCase):
    """What ages stays, out of sight, and is put in anew when it is asked for."""

    def setUp(self) -> None:
        self.learned = Cache(1_000_000)
        self.cache = PacketCache(10_000)

    def put(self, name: bytes, since: float = 1000.0, ttl: int = 100) -> None:
        """Keep an answer of four bytes, its TTL, learned at that second."""
        asked = Question(name, 1)
        self.learned.put(asked, Entry(Answer(Rcode.NOERROR), since, ttl, "told", from_course=True))
        entry = self.learned.find(asked, since)
        assert entry is not None
        ageing = Ageing([(entry, [(0, ttl)])], None, 0, None, entry.rests_until(since))
        self.cache.put(name, ttl.to_bytes(4, "big"), since + 1, CELL, ageing)

    def test_answer_counts_down(self) -> None:
        """In another second there is another answer, which holds for it; past its end there is none."""
        self.put(b"q")
        for now, left, until in (
            (1000.5, 100, 1001.0),
            (1001.0, 99, 1002.0),
            (1003.7, 97, 1004.0),
            (1099.9, 1, 1100.0),
        ):
            made = self.cache.find(b"q", now)
            assert made is not None
            self.assertEqual((int.from_bytes(made[0], "big"), self.cache.soonest), (left, until))
        self.assertEqual(self.cache.renewed, 3)
        self.assertIsNone(self.cache.find(b"q", 1100.1))
        self.assertEqual((self.cache.bytes, self.cache.may_have_more), (0, False))

    def test_end_comes_unasked(self) -> None:
        """What nobody asks for any more takes no bytes past its end."""
        self.put(b"q")
        self.cache.expire(1099.0)
        self.assertTrue(self.cache.may_have_more)
        self.cache.expire(1100.1)
        self.assertEqual((self.cache.bytes, self.cache.may_have_more, self.cache.soonest), (0, False, math.inf))

    def test_entry_that_is_gone(self) -> None:
        """What the cache of learned names does not have is not told, and takes no bytes."""
        self.put(b"q")
        self.learned.forget(Question(b"q", 1))
        self.assertIsNone(self.cache.find(b"q", 1001.0))
        self.assertEqual((self.cache.bytes, self.cache.may_have_more), (0, False))

    def test_clear_forgets_what_is_out_of_sight(self) -> None:
        """Changed records or rules hold for what ages too."""
        self.put(b"q")
        self.cache.clear()
        self.assertIsNone(self.cache.find(b"q", 1001.0))
        self.assertEqual(self.cache.bytes, 0)

    def test_resize_counts_what_is_out_of_sight(self) -> None:
        """With fewer bytes to use, what ages goes too."""
        for name in (b"a", b"b"):
            self.put(name)
        self.cache.expire(1001.0)
        self.cache.resize(self.cache.bytes - 1)
        self.assertIsNone(self.cache.find(b"a", 1001.5))
        self.cache.resize(0)
        self.assertEqual((self.cache.bytes, self.cache.may_have_more), (0, False))

    def test_asked_for_longest_ago_goes_first(self) -> None:
        """Where only such answers are kept, the one that was asked for goes after the one that was not."""
        for name in (b"a", b"b", b"c"):
            self.put(name)
        self.assertIsNotNone(self.cache.find(b"a", 1001.5))
        self.cache.resize(self.cache.bytes - 1)
        self.assertIsNone(self.cache.find(b"b", 1002.5))
        self.assertIsNotNone(self.cache.find(b"a", 1002.5))
        self.assertIsNotNone(self.cache.find(b"c", 1002.5))

    def test_neither_crowds_out_the_other(self) -> None:
        """Past the bound what ages keeps about half of the bytes, and what does not the other half."""
        for number in range(100):
            self.put(b"ageing%d" % number)
            self.cache.put(b"static%d" % number, b"x" * 500, math.inf, CELL)
        self.cache.expire(1001.0)
        static = len(self.cache.packets)
        ageing = [number for number in range(100) if self.cache.find(b"ageing%d" % number, 1001.5)]
        self.assertGreater(static, 3)
        self.assertGreater(len(ageing), 3)
        self.assertIn(99, ageing)

    @given(
        st.lists(
            st.tuples(st.sampled_from("kfepr"), st.integers(0, 9), st.integers(1, 30), st.floats(0, 3)), max_size=80
        )
    )
    def test_bytes_are_counted(self, steps: list[tuple[str, int, int, float]]) -> None:
        """Whatever comes after what, the bound holds, and the bytes of nothing are none."""
        self.cache = PacketCache(5000)
        now = 1000.0
        for what, number, ttl, passed in steps:
            now += passed
            name = b"%d" % number
            if what == "k":
                self.put(name, now, ttl)
            elif what == "f":
                self.cache.find(name, now)
            elif what == "e":
                self.cache.expire(now)
            elif what == "p":
                self.cache.put(name, bytes(ttl * 20), math.inf, CELL)
            else:
                self.cache.resize(ttl * 300)
            self.assertLessEqual(self.cache.bytes, 9000)
        self.cache.resize(0)
        self.assertEqual((self.cache.bytes, len(self.cache.packets), self.cache.may_have_more), (0, 0, False))

    def test_ends_are_bounded(self) -> None:
        """What is noted of the ends does not grow with each second that an answer is asked for."""
        self.put(b"idle", ttl=90_000)
        self.put(b"q", ttl=100_000)
        for second in range(1, 5000):
            self.assertIsNotNone(self.cache.get(key_of(b"q", 0), 1000.0 + second))
        self.assertLess(len(self.cache._ends), 1100)
        self.cache.expire(1001.0 + 90_000)
        self.assertEqual(len(self.cache._ageing), 1)
        self.cache.expire(1001.0 + 100_000)
        self.assertEqual(self.cache.bytes, 0)


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
        self.caches.put_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        for id in (b"\0\1", b"\xab\xcd"):
            self.assertEqual(self.told(id + HEADER + QUESTION, 1000.0), id + BODY)

    def test_case_is_the_askers(self) -> None:
        """A question in mixed case finds the same answer, with its own case in the question (0x20)."""
        mixed = QUESTION.replace(b"www", b"wWw").replace(b"lab", b"LaB")
        self.caches.put_dns(
            b"\0\1" + HEADER + mixed, b"\0\1" + BODY.replace(QUESTION, mixed), mixed[:9], math.inf, CELL
        )
        self.assertEqual(self.told(b"\0\2" + HEADER + QUESTION, 1000.0), b"\0\2" + BODY)
        other = QUESTION.replace(b"www", b"WWW")
        self.assertEqual(self.told(b"\0\3" + HEADER + other, 1000.0), b"\0\3" + BODY.replace(QUESTION, other))

    def test_type_is_not_folded_with_the_name(self) -> None:
        """An answer for HTTPS (65, an ``A`` in ASCII) is none for type 97 (an ``a``), whatever the name's case."""
        asked = b"\0\1" + HEADER + QUESTION[:9]
        self.caches.put_dns(asked + b"\0\x41\0\1", asked + b"\0\x41\0\1", QUESTION[:9], math.inf, CELL)
        self.assertIsNone(self.caches.find(asked + b"\0\x61\0\1", 1000.0))
        self.assertIsNotNone(self.caches.find(asked.replace(b"www", b"WwW") + b"\0\x41\0\1", 1000.0))

    def test_flags_make_another_question(self) -> None:
        """A question with other flags or counts is not answered by this one's answer."""
        self.caches.put_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        self.assertIsNone(self.caches.find(b"\0\1" + b"\1\x10" + HEADER[2:] + QUESTION, 1000.0))

    def test_course_names_are_not_confused_by_their_first_two_bytes(self) -> None:
        """A name is found by all of its bytes: ``xxwww.lab`` is not ``www.lab``."""
        self.caches.course.put(b"www.lab", b"[]", math.inf, CELL)
        self.assertEqual(self.told(b"www.lab", 1000.0), b"[]")
        self.assertIsNone(self.caches.find(b"xxwww.lab", 1000.0))

    def test_runts_find_nothing(self) -> None:
        """Less than a header is no question that was kept."""
        self.caches.put_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        for length in range(12):
            self.assertIsNone(self.caches.find((b"\0\1" + HEADER)[:length], 1000.0))

    def test_clock_set_back_clears(self) -> None:
        """When the time goes back, answers that would hold for too long are forgotten."""
        self.caches.course.put(b"www.lab", b"[]", 1001.0, CELL)
        self.assertEqual(self.caches.seconds(), 1000)
        self.assertIsNotNone(self.caches.find(b"www.lab", 1000.0))
        self.clock.rightNow = 10.0
        self.caches.seconds()
        self.assertIsNone(self.caches.find(b"www.lab", 10.0))

    def test_clear_forgets_both(self) -> None:
        """Changed records are never answered from what was known before."""
        self.caches.course.put(b"www.lab", b"[]", math.inf, CELL)
        self.caches.put_dns(b"\0\1" + HEADER + QUESTION, b"\0\1" + BODY, b"\3www\3lab\0", math.inf, CELL)
        self.caches.clear()
        self.assertIsNone(self.caches.find(b"www.lab", 0.0))
        self.assertIsNone(self.caches.find(b"\0\1" + HEADER + QUESTION, 0.0))
