"""Tests for :mod:`labnet.policy.access`: networks that are allowed and networks that are denied."""

from __future__ import annotations

import ipaddress

from twisted.trial.unittest import SynchronousTestCase

from labnet.policy.access import Access, address_of

LAN = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
ONE = (ipaddress.ip_network("192.0.2.7/32"),)


class AccessTests(SynchronousTestCase):
    """Deny goes before allow; what is in neither is not allowed and not denied."""

    def test_deny_goes_before_allow(self) -> None:
        """Inside allow is allowed, unless deny has it too."""
        access = Access(LAN, ONE)
        for host, allowed, denied in (
            ("192.0.2.1", True, False),
            ("192.0.2.7", False, True),
            ("203.0.113.1", False, False),
            ("2001:db8::7", True, False),
            ("2001:db9::7", False, False),
        ):
            for _ in range(2):  # the second time from memory
                self.assertEqual((access.allows(host), access.denies(host)), (allowed, denied), host)

    def test_an_ipv4_address_inside_ipv6_is_one_of_ipv4(self) -> None:
        """On a port of both families IPv4 clients come as ``::ffff:…``; their networks are written without."""
        access = Access(LAN, ONE)
        self.assertTrue(access.allows("::ffff:192.0.2.1"))
        self.assertTrue(access.denies("::ffff:192.0.2.7"))

    def test_a_scope_does_not_count(self) -> None:
        """A link-local address is in its network, whichever interface it came from."""
        self.assertTrue(Access([ipaddress.ip_network("fe80::/10")]).allows("fe80::1%eth0"))

    def test_nobody_is_allowed_where_no_network_is(self) -> None:
        """Without networks nobody is allowed, and nobody denied."""
        access = Access(())
        self.assertEqual((access.allows("127.0.0.1"), access.denies("127.0.0.1")), (False, False))

    def test_memory_is_bounded(self) -> None:
        """Verdicts are right for more clients than are remembered, and memory does not grow with them."""
        access = Access([ipaddress.ip_network("10.0.0.0/9")])
        for number in range(0, 1 << 24, 1677):
            host = str(ipaddress.ip_address(0x0A000000 + number))
            self.assertEqual(access.allows(host), number < 1 << 23)
        self.assertLessEqual(len(access._verdicts), 10_000)

    def test_what_is_no_address_is_an_error(self) -> None:
        """A name is not looked up."""
        self.assertRaises(ValueError, address_of, "localhost")
