"""Tests for :mod:`labnet.resolver.cache.cache`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import CountedRRset, Entry, entries_of, rests_until
from labnet.wire.names import key_of
from labnet.wire.types import Answer, InfoCode, Mapping, Question, Rcode, RRset, RRType

SOA = RRset(key_of("lab"), RRType.SOA, 20, (b"\0\0" + b"\0" * 20,))


def question(name: str) -> Question:
    """The question for the A records of ``name``."""
    return Question(key_of(name), RRType.A)


def entry(name: str, ttl: int = 60, since: float = 1000.0, rdatas: tuple[bytes, ...] = (b"\1\2\3\4",)) -> Entry:
    """An entry with one A RRset."""
    return Entry(Answer(Rcode.NOERROR, (RRset(key_of(name), RRType.A, ttl, rdatas),)), since, ttl, "192.0.2.1:53")


def size_of_one() -> int:
    """The bytes of one such entry in a cache."""
    cache = Cache(1_000_000)
    cache.put(question("a"), entry("a"))
    return cache.bytes


class CacheTests(SynchronousTestCase):
    """A cache keeps answers for their lifetime, and no more bytes than it may."""

    def setUp(self) -> None:
        self.cache = Cache(1_000_000)

    def test_entry_is_found_until_its_ttl(self) -> None:
        """An entry is valid while its age is at most its TTL; then it is forgotten."""
        self.cache.put(question("a"), entry("a"))
        self.assertIsNotNone(self.cache.find(question("a"), 1060.0))
        self.assertIsNone(self.cache.find(question("a"), 1060.1))
        self.assertEqual((len(self.cache), self.cache.bytes), (0, 0))

    def test_types_are_apart(self) -> None:
        """An answer for one type says nothing of another."""
        self.cache.put(question("a"), entry("a"))
        self.assertIsNone(self.cache.find(Question(key_of("a"), RRType.AAAA), 1000.0))

    def test_bytes_are_bounded_by_the_least_recently_used(self) -> None:
        """Past the bound, the entry that was used longest ago goes first, and the bytes are counted to zero."""
        cache = Cache(3 * size_of_one())
        for name in "abc":
            cache.put(question(name), entry(name))
        cache.find(question("a"), 1001.0)
        cache.put(question("d"), entry("d"))
        self.assertIsNone(cache.find(question("b"), 1001.0))
        self.assertIsNotNone(cache.find(question("a"), 1001.0))
        self.assertLessEqual(cache.bytes, 3 * size_of_one())
        for name in "acd":
            cache.forget(question(name))
        self.assertEqual(cache.bytes, 0)

    def test_an_entry_larger_than_the_cache_is_not_kept(self) -> None:
        """What does not fit at all leaves the cache empty rather than over its bound."""
        cache = Cache(1000)
        cache.put(question("a"), entry("a", rdatas=(b"x" * 2000,)))
        self.assertEqual((len(cache), cache.bytes), (0, 0))

    def test_replaced_entry_is_counted_once(self) -> None:
        """Keeping a question anew replaces its entry and its bytes."""
        self.cache.put(question("a"), entry("a"))
        before = self.cache.bytes
        self.cache.put(question("a"), entry("a", since=1010.0))
        self.assertEqual((len(self.cache), self.cache.bytes), (1, before))

    def test_ttl_counts_down(self) -> None:
        """An answer's TTLs are what is left of them, and its origin says how old it is and who told it."""
        kept = entry("a")
        self.assertEqual(kept.aged(1000.9).answer[0].ttl, 60)
        aged = kept.aged(1025.0)
        self.assertEqual(aged.answer[0].ttl, 35)
        self.assertEqual(aged.origin, "from the cache, learned 25 s ago from 192.0.2.1:53")

    def test_ttl_of_a_soa_counts_down(self) -> None:
        """A negative answer's SOA counts down too, and no TTL falls below zero (RFC 2308, section 5)."""
        negative = Entry(Answer(Rcode.NXDOMAIN, authority=(SOA,)), 1000.0, 20, "x")
        self.assertEqual(negative.aged(1015.0).authority[0].ttl, 5)
        self.assertEqual(negative.aged(2000.0).authority[0].ttl, 0)

    def test_clock_stepped_back_makes_nothing_older_or_younger(self) -> None:
        """With a clock that went back, the TTL is the whole one, not more."""
        self.assertEqual(entry("a").aged(900.0).answer[0].ttl, 60)

    def test_stale_entry_is_kept_as_long_as_told(self) -> None:
        """An entry past its TTL is no answer, but is there for who may serve it stale, and then gone (RFC 8767)."""
        cache = Cache(1_000_000, stale=100)
        cache.put(question("a"), entry("a"))
        self.assertIsNone(cache.find(question("a"), 1100.0))
        stale = cache.find_stale(question("a"), 1160.0)
        assert stale is not None
        answer = stale.stale(1160.0)
        self.assertEqual(answer.answer[0].ttl, 30)
        self.assertEqual(answer.errors[0].code, InfoCode.STALE_ANSWER)
        self.assertIsNone(cache.find_stale(question("a"), 1161.0))
        self.assertIsNone(cache.find(question("a"), 1161.0))
        self.assertEqual(len(cache), 0)

    def test_stale_nxdomain_is_said_as_such(self) -> None:
        """A stale NXDOMAIN has an extended error of its own (RFC 8914, section 4.20)."""
        negative = Entry(Answer(Rcode.NXDOMAIN, authority=(SOA,)), 1000.0, 20, "x")
        self.assertEqual(negative.stale(1030.0).errors[0].code, InfoCode.STALE_NXDOMAIN)

    def test_due_near_its_end_and_once(self) -> None:
        """An entry is due for a refresh in the last tenth of its TTL, until somebody has begun one."""
        kept = entry("a", ttl=100)
        self.assertFalse(kept.is_due(1090.0))
        self.assertTrue(kept.is_due(1090.1))
        self.assertFalse(replace(kept, refreshed=True).is_due(1095.0))
        self.assertFalse(replace(kept, from_course=True).is_due(1095.0))

    def test_valid_lists_what_is_valid(self) -> None:
        """What is written to disk is what is valid now."""
        self.cache.put(question("old"), entry("old", ttl=10))
        self.cache.put(question("new"), entry("new"))
        self.assertEqual([asked for asked, _ in self.cache.valid(1030.0)], [question("new")])

    def test_serves_again_as_long_as_it_is_what_is_kept(self) -> None:
        """An entry serves again until it is due, asked anew, replaced or over."""
        asked = question("a")
        for change in (
            lambda kept: self.cache.forget(asked),
            lambda kept: self.cache.put(asked, entry("a")),
            lambda kept: setattr(kept, "refreshed", True),
            lambda kept: setattr(kept, "since", 900.0),
            lambda kept: setattr(kept, "since", 944.0),
        ):
            kept = entry("a")
            self.assertFalse(kept.serves_again(1000.0))
            self.cache.put(asked, kept)
            self.assertTrue(kept.serves_again(1001.0))
            change(kept)
            self.assertFalse(kept.serves_again(1001.0))

    def test_records_alone_answer_as_if_the_answer_were_kept(self) -> None:
        """It is made when it is asked for, and takes its room from then on."""
        asked = question("a")
        whole = entry("a")
        packed = self.cache.put_rdatas(asked, whole.answer.answer[0].rdatas, 1000.0, 60, whole.source)
        before = self.cache.bytes
        self.assertEqual((packed.answer.answer, packed.answer.rcode), (whole.answer.answer, Rcode.NOERROR))
        self.assertEqual(packed.answer.mapping, Mapping("a", "1.2.3.4", 60, True, 1000.0))
        self.assertEqual((self.cache.bytes, packed.is_negative, packed.errors), (packed.size, False, ()))
        self.assertIs(self.cache.find(asked, 1010.0), packed)
        self.assertEqual(packed.aged(1010.0).answer, whole.aged(1010.0).answer)
        self.assertIs(packed.answer, packed.answer)
        self.assertEqual(self.cache.bytes, packed.size)
        self.assertGreater(packed.size, before)
        self.cache.forget(asked)
        self.assertEqual(self.cache.bytes, 0)

    def test_records_alone_are_kept_as_any_answer_is(self) -> None:
        """In place of what was kept, within the bounds, and until they are flushed."""
        cache = Cache(self.cache.put_rdatas(question("a"), (b"\xc0\0\2\1",), 1000.0, 60, "x").size * 2)
        for name in ("a", "a", "b", "c"):
            cache.put_rdatas(question(name), (b"\xc0\0\2\1",), 1000.0, 60, "x")
        self.assertEqual([asked for asked, _ in cache.valid(1000.0)], [question("b"), question("c")])
        self.assertEqual((cache.evictions, cache.flush_negative(), cache.flush(key_of("c"))), (1, 0, 1))
        cache.put(question("n"), Entry(Answer(Rcode.NXDOMAIN, authority=(SOA,)), 1000.0, 20, "x"))
        cache.put_rdatas(question("n"), (b"\xc0\0\2\1",), 1000.0, 60, "x")
        self.assertIsNone(cache.find_absent(question("d.n"), 1001.0), "the name exists by now")

    def test_serving_again_is_a_use(self) -> None:
        """An entry that serves again is not the one that was used longest ago."""
        cache = Cache(2 * size_of_one())
        kept = entry("a")
        cache.put(question("a"), kept)
        cache.put(question("b"), entry("b"))
        self.assertTrue(kept.serves_again(1001.0))
        cache.put(question("c"), entry("c"))
        self.assertIn(question("a"), cache)
        self.assertNotIn(question("b"), cache)

    def test_rests_until_it_is_due_or_over(self) -> None:
        """Nothing is to be done about an entry until its last tenth, then until its end; a course parent's has none."""
        kept = entry("a", ttl=100)
        self.assertAlmostEqual(kept.rests_until(1000.0), 1090, 3)
        self.assertAlmostEqual(kept.rests_until(1095.0), 1100, 3)
        self.assertAlmostEqual(replace(kept, from_course=True).rests_until(1000.0), 1100, 3)
        self.assertTrue(kept.is_due(kept.rests_until(1000.0)))
        self.assertFalse(kept.is_valid(kept.rests_until(1095.0)))

    def test_answer_knows_its_entries(self) -> None:
        """Each RRset of an answer knows the entry that it is from, and the answer the last of them."""
        first, last = entry("a", ttl=50).aged(1010.0), entry("b", rdatas=()).aged(1010.0)
        whole = replace(last, answer=()).behind(first.answer)
        self.assertEqual([one.ttl for one in entries_of(whole)], [50, 60])
        (counted,) = first.answer
        assert isinstance(counted, CountedRRset)
        self.assertEqual((counted.ttl, counted.whole), (40, 50))
        self.assertAlmostEqual(rests_until(whole, 1010.0), 1045, 3)
        self.assertEqual(rests_until(Answer(Rcode.NOERROR, until=7.0), 1010.0), 7.0)
