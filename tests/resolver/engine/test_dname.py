"""DNAMEs of a parent, end to end (RFC 6672): passed on, cached, logged, and turned into the CNAME that follows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.lab import Lab, rcode, shown

DNAME = "old.example. 60 DNAME new.example."


class DnameTests(SynchronousTestCase):
    """A resolver with a DNS parent that renames a tree of names."""

    def setUp(self) -> None:
        self.lab = Lab(self)

    def test_cname_that_a_parent_leaves_out_is_made_and_followed(self) -> None:
        """The client gets DNAME, CNAME and address, then from the cache too, and the course protocol the address."""
        lab = self.lab
        lab.begin("web.old.example")
        lab.tell(lab.asked("web.old.example"), DNAME)
        lab.tell(lab.asked("web.new.example"), "web.new.example. 60 A 192.0.2.1")
        expected = [
            "old.example. 60 IN DNAME new.example.",
            "web.old.example. 60 IN CNAME web.new.example.",
            "web.new.example. 60 IN A 192.0.2.1",
        ]
        self.assertEqual(shown(lab.told()), expected)
        self.assertEqual(shown(lab.ask("web.old.example")), expected)
        lab.course("web.old.example")
        self.assertIn(b'"web.old.example", "192.0.2.1"', lab.course_told())

    def test_name_that_gets_too_long_is_yxdomain(self) -> None:
        """As the parent says, with its DNAME; also from the cache, and from the log after a restart."""
        lab, name = self.lab, f"{'z' * 40}.old.example"
        long = f"old.example. 60 DNAME {'.'.join(['x' * 60] * 4)}."
        replies = [lab.resolve(name, long, rcode="YXDOMAIN"), lab.ask(name)]
        lab.restart()
        for reply in (*replies, lab.ask(name)):
            self.assertEqual((rcode(reply), len(shown(reply))), ("YXDOMAIN", 1))
