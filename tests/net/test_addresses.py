"""Addresses as text."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.addresses import address_text, family_of, host_and_port, socket_address


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

    def test_a_scope_is_a_number_of_the_sockets_address(self) -> None:
        """The name of an interface or its number; without a scope there is none."""
        loopback = socket.if_nametoindex("lo")
        self.assertEqual(socket_address("fe80::1%lo", 53), ("fe80::1", 53, 0, loopback))
        self.assertEqual(socket_address("fe80::1%7", 53), ("fe80::1", 53, 0, 7))
        for address in (("192.0.2.1", 53), ("::1", 53)):
            self.assertEqual(socket_address(*address), address)

    def test_an_interface_that_is_not_there_is_an_error_of_the_system(self) -> None:
        self.assertRaises(OSError, socket_address, "fe80::1%nowhere0", 53)

    def test_the_number_of_a_sockets_scope_stands_behind_the_host(self) -> None:
        for address, expected in (
            (("192.0.2.1", 53), ("192.0.2.1", 53)),
            (("2001:db8::1", 53, 0, 0), ("2001:db8::1", 53)),
            (("fe80::1", 53, 0, 7), ("fe80::1%7", 53)),
        ):
            self.assertEqual(host_and_port(address), expected)
