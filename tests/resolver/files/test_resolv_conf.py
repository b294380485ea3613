"""The system's own list of servers, as its file may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.resolv_conf import parse_resolv_conf


class ResolvConfTests(SynchronousTestCase):
    """The system's own list of servers."""

    def test_the_servers_come_in_order_and_each_once(self) -> None:
        """With what is a comment or of no interest left out."""
        found = parse_resolv_conf(
            b"# by hand\r\n; nameserver 192.0.2.9\nnameserver 192.0.2.1\r\nnameserver\t2001:DB8::0:1  # home\n"
            b"search example.com\noptions edns0\nnameserver 192.0.2.1\nnameserver fe80::1%eth0;x\nnameserver 192.0.2.2"
        )
        self.assertEqual(found.addresses, ("192.0.2.1", "2001:db8::1", "fe80::1%eth0", "192.0.2.2"))
        self.assertEqual(found.problems, ())

    def test_a_bad_line_is_a_problem_and_the_others_count(self) -> None:
        """The C library skips such a line in silence."""
        found = parse_resolv_conf(
            b"nameserver\nnameserver dns.example\n nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver \xff\n"
        )
        self.assertEqual(found.addresses, ("192.0.2.2",))
        self.assertEqual(
            [(problem.line, problem.says) for problem in found.problems],
            [
                (1, "nameserver has no address; the line was skipped"),
                (2, "'dns.example' is no IP address; the line was skipped"),
                (3, "nameserver must start the line; the line was skipped"),
                (5, "'�' is no IP address; the line was skipped"),
            ],
        )
        self.assertTrue(all(problem.warning for problem in found.problems))

    def test_an_address_of_a_link_needs_the_link(self) -> None:
        """Nothing can be sent to it without."""
        found = parse_resolv_conf(b"nameserver fe80::1\nnameserver 169.254.0.1\nnameserver fe80::1%eth0\n")
        self.assertEqual(found.addresses, ("169.254.0.1", "fe80::1%eth0"))
        (problem,) = found.problems
        says = "fe80::1 is on every link: write it with one, as in fe80::1%eth0; the line was skipped"
        self.assertEqual((problem.line, problem.says), (1, says))

    def test_an_empty_file_has_no_servers(self) -> None:
        """The resolver does not make one up."""
        self.assertEqual(parse_resolv_conf(b"").addresses, ())

    @given(st.one_of(st.binary(), st.text().map(lambda text: f"nameserver {text}".encode("utf-8", "replace"))))
    def test_any_bytes_are_read(self, content: bytes) -> None:
        """Without an exception."""
        parse_resolv_conf(content)
