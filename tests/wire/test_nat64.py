"""Tests for :mod:`labnet.wire.nat64`: the examples of RFC 6052, section 2.4."""

from __future__ import annotations

import ipaddress

from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.nat64 import TranslationPrefix, problem_of

ADDRESS = ipaddress.ip_address("192.0.2.33").packed
EXAMPLES = {
    "2001:db8::/32": "2001:db8:c000:221::",
    "2001:db8:100::/40": "2001:db8:1c0:2:21::",
    "2001:db8:122::/48": "2001:db8:122:c000:2:2100::",
    "2001:db8:122:300::/56": "2001:db8:122:3c0:0:221::",
    "2001:db8:122:344::/64": "2001:db8:122:344:c0:2:2100::",
    "2001:db8:122:344::/96": "2001:db8:122:344::192.0.2.33",
    "64:ff9b::/96": "64:ff9b::192.0.2.33",
}


class TranslationPrefixTests(SynchronousTestCase):
    def test_addresses_are_put_behind_each_prefix_and_taken_out_again(self) -> None:
        """As the tables of the RFC have them; of another prefix there is none."""
        for text, expected in EXAMPLES.items():
            prefix = TranslationPrefix(ipaddress.IPv6Network(text))
            made = prefix.embed(ADDRESS)
            self.assertEqual(made, ipaddress.ip_address(expected).packed, text)
            self.assertEqual(prefix.extract(made), ADDRESS)
            self.assertIsNone(prefix.extract(ipaddress.ip_address("2001:db9::1").packed))

    def test_what_is_no_prefix(self) -> None:
        """Of another length, or with something in the byte that is reserved."""
        for text, problem in (
            ("64:ff9b::/97", "has 97 bits, not 32, 40, 48, 56, 64 or 96"),
            ("2001:db8:1:2:300::/96", "has bits 64 to 71 that are not zero"),
            ("64:ff9b::/96", None),
        ):
            self.assertEqual(problem_of(ipaddress.IPv6Network(text)), problem)
