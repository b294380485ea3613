"""Tests for :mod:`labnet.wire.rdata`: the addresses that SVCB and HTTPS records hint at."""

from __future__ import annotations

import dns.rdata
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.rdata import hinted_addresses


def rdata(text: str) -> bytes:
    wire = dns.rdata.from_text("IN", "HTTPS", text).to_wire()
    assert wire is not None
    return wire


class HintTests(SynchronousTestCase):
    def test_addresses_of_both_kinds_are_found_among_other_parameters(self) -> None:
        """Behind any target."""
        for target in ".", "svc.example.":
            found = hinted_addresses(
                rdata(f"1 {target} alpn=h2,h3 port=443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1")
            )
            self.assertEqual(found[:2], [bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))])
            self.assertEqual([len(address) for address in found], [4, 4, 16])
        self.assertEqual(hinted_addresses(rdata("0 svc.example.")), [])

    def test_of_data_that_are_cut_the_whole_addresses_count(self) -> None:
        """None is read from behind the end."""
        whole = rdata("1 . ipv4hint=192.0.2.1,192.0.2.2")
        self.assertEqual(hinted_addresses(whole[:-1]), [bytes((192, 0, 2, 1))])

    @given(st.binary(max_size=80))
    def test_any_bytes_can_be_looked_at(self, data: bytes) -> None:
        self.assertLessEqual({len(address) for address in hinted_addresses(data)}, {4, 16})
