"""Keys, values and messages of a shared cache; whatever anybody writes there."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.policy import Bounds, entry_of
from labnet.resolver.shared.values import (
    Flush,
    Looked,
    ParentGroup,
    Shared,
    decode_flush,
    decode_value,
    encode_flush,
    encode_value,
    escaped_prefix,
    patterns_of,
)
from labnet.wire.names import ROOT, key_of
from labnet.wire.types import CourseReply, Question, Rcode, RRset, Upstream
from tests.resolver.dnsfakes import SOA, A, question, rrset

NOW = 1_700_000_000.0
WWW = question("www.example.com")
FOUND = Upstream(Rcode.NOERROR, "192.0.2.53:53", (rrset("www.example.com", 60, A, b"\xc0\0\2\1"),))
SOA_RDATA = b"\0\0" + bytes((0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 30))
MISSING = Upstream(Rcode.NXDOMAIN, "192.0.2.53:53", soa=rrset("example.com", 90, SOA, SOA_RDATA))
COURSE = Upstream(Rcode.NOERROR, "192.0.2.53:1200", course_reply=CourseReply("www.Example.com", "21.09.1992.8", 60))
BOUNDS = Bounds()
POOL = ParentGroup("main", ROOT, ("dns:192.0.2.53:53",), False)


def value(upstream: Upstream = FOUND, asked: Question = WWW, now: float = NOW) -> bytes:
    return encode_value(asked, upstream, BOUNDS, now)[0]


def read(
    content: bytes, left: float = 60.0, asked: Question = WWW, now: float = NOW, bounds: Bounds = BOUNDS
) -> Shared | None:
    return decode_value(asked, Looked(content, left), bounds, now)


class KeyTests(SynchronousTestCase):
    """Where an answer stands."""

    def test_a_key_is_for_people_too(self) -> None:
        """It says the resolver, the domain, the type and the name."""
        key = POOL.key(question("www.example.com", 28)).decode()
        self.assertRegex(key, r"^1:main:\.:[0-9a-f]{12}:AAAA:www\.example\.com$")

    def test_only_the_same_question_to_the_same_parents_has_the_same_key(self) -> None:
        """Whatever signs the names have."""
        pools = [
            POOL,
            ParentGroup("other", ROOT, POOL.parents, False),
            ParentGroup("main", key_of("example"), POOL.parents, False),
            ParentGroup("main", ROOT, ("dns:192.0.2.54:53",), False),
            ParentGroup("main:.", ROOT, POOL.parents, False),
        ]
        asked = [WWW, question("www.example.com", 28), question("example.com"), Question(b"\x03a:b\0", A)]
        keys = {pool.key(each) for pool in pools for each in asked}
        self.assertEqual(len(keys), len(pools) * len(asked))

    def test_parents_that_know_names_alone_are_asked_for_names(self) -> None:
        """Each type has the same key, and so has a name that DNS cannot carry."""
        course = ParentGroup("main", ROOT, ("text:192.0.2.53:1200",), True)
        self.assertEqual(course.key(WWW), course.key(question("www.example.com", 28)))
        odd = Question(key_of("a..b"), A)
        self.assertTrue(POOL.key(odd).endswith(b":NAME:a..b"))


class ValueTests(SynchronousTestCase):
    """What a parent told."""

    def test_every_answer_comes_back_as_it_was(self) -> None:
        """With the second at which it was told."""
        chain = (
            rrset("www.example.com", 60, 5, b"\x03Web\x07example\x03net\0"),
            rrset("web.example.net", 30, A, b"\xc0\0\2\1", b"\xc0\0\2\2"),
        )
        dname = (rrset("com", 60, 39, b"\3net\0"), *chain)
        chains = [Upstream(Rcode.NOERROR, "p", rrsets) for rrsets in (chain, dname)]
        for upstream in FOUND, MISSING, COURSE, *chains:
            content, left = encode_value(WWW, upstream, BOUNDS, NOW)
            found = read(content, left - 10, now=NOW + 10)
            assert found is not None, upstream
            kept = entry_of(WWW, upstream, NOW, BOUNDS)
            self.assertEqual(entry_of(WWW, found.upstream, NOW + 10, BOUNDS), kept)
            self.assertFalse(found.is_due)

    def test_it_is_kept_for_the_time_it_has(self) -> None:
        """Its own, within the bounds of the lab that was told; what does not last is not kept."""
        self.assertEqual(encode_value(WWW, FOUND, Bounds(ttl_max=10), NOW)[1], 10)
        self.assertEqual(encode_value(WWW, MISSING, BOUNDS, NOW)[1], 30)
        self.assertEqual(encode_value(WWW, COURSE, BOUNDS, NOW)[1], 60)
        self.assertEqual(encode_value(WWW, Upstream(Rcode.NXDOMAIN, "p"), BOUNDS, NOW)[1], 0)

    def test_what_does_not_last_is_taken_from_a_message_alone(self) -> None:
        """On the server it cannot have been told."""
        content = value(Upstream(Rcode.NXDOMAIN, "192.0.2.53:1200"))
        found = read(content, math.inf)
        assert found is not None
        self.assertEqual((found.upstream.rcode, found.upstream.since), (Rcode.NXDOMAIN, NOW))
        self.assertIsNone(read(content))
        for wrong in b"N2 p", b"Nx p", b"N", b"N3 \x1b[0m", b"N3 \xff":
            self.assertIsNone(read(wrong, math.inf))

    def test_its_age_is_the_same_on_every_clock(self) -> None:
        """The server has counted it, however far the clocks of two labs are apart."""
        for apart, since in ((0.0, NOW - 20), (0.4, NOW - 20), (-0.4, NOW - 20.4), (3600, NOW - 20), (-3600, NOW - 20)):
            found = read(value(now=NOW - 20 + apart), 40.0)
            assert found is not None
            self.assertEqual(found.upstream.since, since)

    def test_no_lifetime_gets_longer(self) -> None:
        """Not where the server has it for longer than it was told, nor for ever, nor not at all."""
        found = read(value(), 1e9)
        assert found is not None
        self.assertEqual(found.upstream.since, NOW)
        for left in -0.001, 0.0, -1.0, math.nan:
            self.assertIsNone(read(value(), left))
        self.assertIsNone(read(value(), 40.0, bounds=Bounds(ttl_max=10)))

    def test_near_its_end_it_is_due(self) -> None:
        """Unless nothing is to be asked before its time."""
        due = [read(value(), left) for left in (7.0, 5.0)]
        self.assertEqual([found and found.is_due for found in due], [False, True])
        late = read(value(), 5.0, bounds=Bounds(prefetch=False))
        self.assertFalse(late and late.is_due)
        told = read(value(COURSE), 1.0)
        self.assertFalse(told and told.is_due)

    def test_what_is_about_something_else_is_passed_over(self) -> None:
        """Another name or type, a chain that leads elsewhere, records or a zone that have nothing to do with it."""
        www = FOUND.rrsets[0]
        cname = rrset("www.example.com", 60, 5, b"\3web\0")
        elsewhere = rrset("other.example.com", 60, A, b"\xc0\0\2\1")
        soa = rrset("example.org", 60, SOA, SOA_RDATA)
        for rrsets in (elsewhere,), (www, elsewhere), (elsewhere, www), (cname, www), (www, www), (www, cname):
            self.assertIsNone(read(value(Upstream(Rcode.NOERROR, "p", rrsets))), rrsets)
        dname = rrset("org", 60, 39, b"\3net\0")
        self.assertIsNone(read(value(Upstream(Rcode.NOERROR, "p", (dname, www)))))
        self.assertIsNone(read(value(Upstream(Rcode.NXDOMAIN, "p", soa=soa))))
        self.assertIsNone(read(value(), asked=question("www.example.org")))
        self.assertIsNone(read(value(MISSING), 30.0, asked=question("other.example.com")))
        self.assertIsNone(read(value(MISSING), 30.0, asked=question("www.example.com", 28)))
        self.assertIsNone(read(value(), asked=question("www.example.com", 28)))
        self.assertIsNone(read(value(COURSE), asked=question("www.example.org")))
        self.assertIsNone(read(value(COURSE).replace(b",1,", b",0,")))
        self.assertIsNone(read(value().replace(b'"r":0', b'"r":2')))
        self.assertIsNone(read(value().replace(b'"f":"192', b'"f":"\\u001b')))

    def test_a_cname_leads_to_a_name(self) -> None:
        """Or the chain is none."""
        kept = json.loads(value(Upstream(Rcode.NOERROR, "p", (rrset("www.example.com", 60, 5, b"\3web\0"),)))[1:])
        kept["a"][0][3] = ["40"]
        self.assertIsNone(read(b"D" + json.dumps(kept).encode()))

    @given(st.binary(max_size=200), st.sampled_from([b"", b"C", b"D", b"N"]), st.floats())
    def test_any_bytes_are_read_or_passed_over(self, content: bytes, start: bytes, left: float) -> None:
        """Nothing is raised."""
        read(start + content, left)

    @given(st.integers(0, 500), st.binary(min_size=1, max_size=3), st.sampled_from([FOUND, MISSING, COURSE]))
    def test_a_changed_answer_is_read_or_passed_over(self, at: int, change: bytes, upstream: Upstream) -> None:
        """And never about another name."""
        good = value(upstream)
        found = read(good[: at % len(good)] + change + good[at % len(good) + len(change) :])
        if found is not None:
            kept = entry_of(WWW, found.upstream, NOW, BOUNDS)
            assert kept is not None
            self.assertEqual(kept[0].key, WWW.key)
            self.assertTrue(all(answer.key == WWW.key for answer in kept[1].answer.answer))

    def test_the_longest_answer_has_room(self) -> None:
        """A whole DNS message of strings; anything longer is passed over."""
        strings = tuple(bytes((250,)) + bytes((number % 256,)) * 250 for number in range(256))
        long = Upstream(Rcode.NOERROR, "p", (RRset(WWW.key, 16, 60, tuple(dict.fromkeys(strings))),))
        asked = Question(WWW.key, 16)
        content = value(long, asked)
        self.assertIsNotNone(read(content, asked=asked))
        self.assertIsNone(read(content + b" " * 400_000, asked=asked))


class FlushTests(SynchronousTestCase):
    """What is to be forgotten."""

    def test_it_comes_back_as_it_was(self) -> None:
        """To everybody but who sent it."""
        for flush in Flush(WWW.key, None), Flush(ROOT, None), Flush(key_of("a..b"), None), Flush(None, "main"):
            message = encode_flush(flush, "one")
            self.assertEqual(decode_flush(message, "two"), flush)
            self.assertIsNone(decode_flush(message, "one"))

    def test_anything_else_is_passed_over(self) -> None:
        """Names that are none, both or neither."""
        for fields in (
            {"name": "03", "resolver": None},
            {"name": None, "resolver": 5},
            {"name": "00", "resolver": "main"},
            {"name": None, "resolver": None},
            {"name": "", "resolver": None},
            {"name": "ff41", "resolver": None},
            {"name": "x", "resolver": None},
            {"name": 5, "resolver": None},
            {},
        ):
            found = decode_flush(json.dumps({"from": "one", **fields}).encode(), "two")
            self.assertIn(found, (None, Flush(b"\xffa", None)), fields)
        for message in b"", b"[]", b"\xff", b"[" * 4000, b"[" * 5000, b'"x"':
            self.assertIsNone(decode_flush(message, "two"))

    @given(st.binary(max_size=80))
    def test_any_bytes_are_read_or_passed_over(self, message: bytes) -> None:
        """Nothing is raised."""
        decode_flush(message, "two")
        decode_flush(json.dumps({"from": "one", "name": message.hex(), "resolver": None}).encode(), "two")

    def test_patterns_fit_what_is_to_be_forgotten(self) -> None:
        """Signs that mean something in a pattern mean themselves."""
        self.assertEqual(patterns_of(Flush(key_of("a*b.test"), None)), ["1:*:a\\*b.test", "1:*.a\\*b.test"])
        self.assertEqual(patterns_of(Flush(ROOT, None)), ["1:*"])
        self.assertEqual(patterns_of(Flush(None, "a[b]:c")), ["1:a%5Bb%5D%3Ac:*"])
        self.assertEqual(escaped_prefix("lab?:"), "lab\\?:")
