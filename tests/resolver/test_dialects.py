"""A resolver in other dialects than the assignment's own: records, replies, and the walk from server to server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream.course import MOST_REFERRALS
from tests.resolver.fakes import Address
from tests.resolver.lab import COURSE, Lab

ZONE = "biu.ac.il,1.2.3.4,A\n\n.co.il,192.0.2.60:777,NS\n.google.co.il, 192.0.2.61:778 ,NS\n"
PARENTS = ["text:192.0.2.53:1200"]
CO_IL: Address = ("192.0.2.60", 777)
GOOGLE: Address = ("192.0.2.61", 778)


class AddressTests(SynchronousTestCase):
    """``address``: the bare address for each name."""

    def test_records_with_and_without_a_ttl_are_served(self) -> None:
        """The reply is the address alone."""
        lab = Lab(self, {"ips": "www.a,1.2.3.4\nwww.b,1.2.3.5,60\n"}, dialect="address", parents=[])
        for name, reply in (("www.a", b"1.2.3.4"), ("www.b\n", b"1.2.3.5"), ("www.c", b"not found")):
            lab.course(name)
            self.assertEqual(lab.course_told(), reply)

    def test_what_a_parent_says_is_learned_for_the_default_time(self) -> None:
        """A bare address has no TTL of its own."""
        lab = Lab(self, dialect="address", parents=PARENTS, default_ttl=7)
        lab.course("www.a")
        query = lab.take(COURSE)
        self.assertEqual(query.payload, b"www.a")
        lab.network.deliver(b"1.2.3.4", COURSE, query.source)
        self.assertEqual(lab.course_told(), b"1.2.3.4")
        lab.pass_time(7)
        lab.course("www.a")
        self.assertEqual(lab.course_told(), b"1.2.3.4")
        lab.pass_time(0.5)
        lab.course("www.a")
        lab.take(COURSE)


class OwnFileTests(SynchronousTestCase):
    """What a file of one's own lays down."""

    def lab(self, extra: str, **config: object) -> Lab:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "own.toml"
        path.write_text('title = "own"\n' + extra + '[records]\nlike = "course"\n[reply]\nfound = ["{address}"]\n')
        return Lab(self, {"ips": "www.A,1.2.3.4,60\n"}, dialect=os.fspath(path), **config)

    def test_case_counts_where_the_file_says_so(self) -> None:
        """Silence is for unknown names, where the file has no reply for them."""
        lab = self.lab("ignores_case = false\n", parents=[])
        for name, replies in (("www.A", 1), ("www.a", 0), ("www.A", 1)):
            lab.course(name)
            self.assertEqual(len(lab.network.sent), replies)
            lab.network.sent.clear()

    def test_what_is_learned_lives_as_long_as_the_file_says(self) -> None:
        """Unless the configuration says otherwise."""
        for config, seconds in (({}, 7), ({"default_ttl": 20}, 20)):
            lab = self.lab("cache = 7\n", parents=PARENTS, **config)
            lab.course("www.b")
            lab.network.deliver(b"1.2.3.5", COURSE, lab.take(COURSE).source)
            lab.course_told()
            lab.pass_time(seconds)
            lab.course("www.b")
            self.assertEqual(lab.course_told(), b"1.2.3.5")
            lab.pass_time(0.5)
            lab.course("www.b")
            lab.take(COURSE)


class JSONRecordsTests(SynchronousTestCase):
    """``key-value``, whose records may be JSON."""

    def test_an_object_or_a_list_of_objects_is_read(self) -> None:
        for content, ttl in (('{"www.a": "1.2.3.4"}', 60), ('[{"NAME": "www.a", "VALUE": "1.2.3.4", "TTL": 10}]', 10)):
            lab = Lab(self, {"records": content}, dialect="key-value", parents=[])
            lab.send(b"TYPE=A\nNAME=www.a\n")
            self.assertEqual(lab.course_told(), b"TYPE=A\nNAME=www.a VALUE=1.2.3.4 TTL=%d\n" % ttl)
            lab.stop()

    def test_what_is_wrong_in_it_is_told(self) -> None:
        for content, says in (
            ("{", "the file is no JSON"),
            ('{"www.a": 1}', "record 1: has no VALUE that is text"),
            ("[1]", "record 1: has no NAME that is text"),
            ('[{"NAME": "w w", "VALUE": "1.2.3.4"}]', "record 1: 'w w' is no name"),
        ):
            with self.assertRaisesRegex(AssertionError, says):
                Lab(self, {"records": content}, dialect="key-value", parents=[])


class ZoneTests(SynchronousTestCase):
    """``zone``: a server answers with its lines, a resolver walks from server to server."""

    def asked(self, lab: Lab, server: Address, reply: bytes) -> None:
        """``server`` is asked for the name, and replies."""
        query = lab.take(server)
        self.assertEqual(query.payload, b"www.google.co.il")
        lab.network.deliver(reply, server, query.source)

    def resolver(self, **config: object) -> Lab:
        lab = Lab(self, dialect="zone", parents=PARENTS, default_ttl=30, **config)
        lab.course("www.google.co.il")
        return lab

    def test_a_server_answers_with_its_lines(self) -> None:
        """The A line of a name, of several NS lines that fit the longest, and the words for a name that it has not."""
        lab = Lab(self, {"zone": ZONE}, dialect="zone", parents=[])
        for name, reply in (
            ("biu.ac.il", b"biu.ac.il,1.2.3.4,A"),
            ("BIU.ac.il\r\n", b"biu.ac.il,1.2.3.4,A"),
            ("www.ynet.co.il", b".co.il,192.0.2.60:777,NS"),
            ("www.GOOGLE.co.il", b".google.co.il,192.0.2.61:778,NS"),
            ("co.il", b"non-existent domain"),
            ("xco.il", b"non-existent domain"),
        ):
            for _ in range(2):
                lab.course(name)
                self.assertEqual(lab.course_told(), reply)

    def test_lines_of_another_form_end_the_start(self) -> None:
        """With file, line, and what is expected there."""
        with self.assertRaisesRegex(AssertionError, r"zone:2: the line is not of the form \{name\},\{address\},A or"):
            Lab(self, {"zone": "a.b,1.2.3.4,A\na.b,1.2.3.4,180\n"}, dialect="zone")
        with self.assertRaisesRegex(AssertionError, r"zone:1: '1.2.3.4:0' is no server: write it as"):
            Lab(self, {"zone": ".b,1.2.3.4:0,NS\n"}, dialect="zone")

    def test_the_resolver_walks_and_remembers_both_kinds_of_lines(self) -> None:
        """On an NS line the same name is asked there; for as long as it lives the next name begins there."""
        lab = self.resolver()
        self.asked(lab, COURSE, b".co.il,192.0.2.60:777,NS")
        self.asked(lab, CO_IL, b".google.co.il,192.0.2.61:778,NS\n")
        self.asked(lab, GOOGLE, b"www.google.co.il,1.2.3.9,A")
        self.assertEqual(lab.course_told(), b"www.google.co.il,1.2.3.9,A")
        lab.course("www.google.co.il")
        self.assertEqual(lab.course_told(), b"www.google.co.il,1.2.3.9,A")
        lab.pass_time(29)
        lab.course("mail.google.co.il")
        lab.take(GOOGLE)
        lab.pass_time(2)
        lab.course("www.google.co.il")
        lab.take(COURSE)

    def test_an_unknown_name_is_no_failure_and_not_learned(self) -> None:
        """The parent says so in its words, and is asked again the next time."""
        lab = self.resolver()
        self.asked(lab, COURSE, b"non-existent domain")
        self.assertEqual(lab.course_told(), b"non-existent domain")
        lab.course("www.google.co.il")
        lab.take(COURSE)

    def test_a_remembered_server_that_is_gone_is_passed_over(self) -> None:
        """The walk begins anew where the referral came from."""
        lab = self.resolver(parent_tries=1)
        self.asked(lab, COURSE, b".co.il,192.0.2.60:777,NS")
        self.asked(lab, CO_IL, b"www.google.co.il,1.2.3.9,A")
        lab.course_told()
        lab.course("www.ynet.co.il")
        lab.take(CO_IL)
        lab.pass_time(3)
        lab.take(COURSE)

    def test_a_referral_in_a_circle_ends(self) -> None:
        """To itself, or to who was asked before: the client hears that the name is unknown."""
        lab = self.resolver()
        self.asked(lab, COURSE, b".co.il,192.0.2.53:1200,NS")
        self.assertEqual(lab.course_told(), b"non-existent domain")
        lab.course("www.google.co.il")
        self.asked(lab, COURSE, b".co.il,192.0.2.60:777,NS")
        self.asked(lab, CO_IL, b".google.co.il,192.0.2.53:1200,NS")
        self.assertEqual(lab.course_told(), b"non-existent domain")

    def test_referrals_on_and_on_end(self) -> None:
        """After so many servers the client hears that the name is unknown."""
        lab = self.resolver()
        server: Address = COURSE
        for number in range(MOST_REFERRALS + 1):
            self.asked(lab, server, b".co.il,192.0.2.60:%d,NS" % (2000 + number))
            server = ("192.0.2.60", 2000 + number)
        self.assertEqual(lab.course_told(), b"non-existent domain")

    def test_a_referral_for_other_names_is_not_followed(self) -> None:
        """Nor is one whose server is none."""
        for reply in (b".org,192.0.2.60:777,NS", b".co.il,192.0.2.60:0,NS"):
            lab = self.resolver()
            self.asked(lab, COURSE, reply)
            self.assertEqual(lab.course_told(), b"non-existent domain")
            lab.stop()

    def test_a_parent_may_be_told_another_dialect(self) -> None:
        """text: asks in the resolver's own and understands every shipped one; text+line: is asked in that."""
        for parents in ("text:192.0.2.53:1200", "text+line:192.0.2.53:1200"):
            lab = Lab(self, dialect="json", parents=parents, default_ttl=30)
            lab.course("www.google.co.il")
            self.asked(lab, COURSE, b"www.google.co.il,1.2.3.9,A")
            self.assertIn(b'"1.2.3.9", "30", "1"', lab.course_told())
