"""Addresses as text."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.addresses import address_text, family_of


class AddressTests(SynchronousTestCase):
    def test_an_ipv4_address_is_followed_by_its_port(self) -> None:
        self.assertEqual(address_text("127.0.0.1", 1200), "127.0.0.1:1200")

    def test_an_ipv6_address_stands_in_brackets_before_its_port(self) -> None:
        self.assertEqual(address_text("::1", 1200), "[::1]:1200")
        self.assertEqual(address_text("fe80::50%eth0", 53), "[fe80::50%eth0]:53")

    def test_the_family_is_told_by_the_form(self) -> None:
        for host, family in (
            ("", socket.AF_INET),
            ("192.0.2.1", socket.AF_INET),
            ("::", socket.AF_INET6),
            ("fe80::50%2", socket.AF_INET6),
        ):
            self.assertEqual(family_of(host), family, host)
