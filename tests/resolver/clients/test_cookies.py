"""Tests for :mod:`labnet.resolver.clients.cookies`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.cookies import Cookies, siphash24

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
CLIENT = bytes.fromhex("2464c4abcf10c957")
THEN = 1559731985


class CookiesTests(SynchronousTestCase):
    """Cookies are those of RFC 9018, and good for one client, one address and an hour."""

    def setUp(self) -> None:
        self.cookies = Cookies(SECRET)

    def test_siphash_is_the_reference(self) -> None:
        """SipHash-2-4 gives the value of its authors' paper, appendix A."""
        self.assertEqual(siphash24(bytes(range(16)), bytes(range(15))), 0xA129CA6149BE45E5)

    def test_cookie_is_that_of_the_rfc(self) -> None:
        """The first example of RFC 9018, appendix A, comes out byte for byte."""
        made = self.cookies.make(CLIENT, "198.51.100.100", THEN)
        self.assertEqual(made.hex(), "2464c4abcf10c957010000005cf79f111f8130c3eee29480")

    def test_own_cookie_is_valid_for_an_hour(self) -> None:
        """A cookie is accepted until it is an hour old, and five minutes before its time at most."""
        made = self.cookies.make(CLIENT, "198.51.100.100", THEN)
        for age, valid in ((0, True), (3600, True), (3601, False), (-300, True), (-301, False)):
            self.assertEqual(self.cookies.is_valid(made, "198.51.100.100", THEN + age), valid, age)

    def test_cookie_of_another_is_not_valid(self) -> None:
        """A cookie counts for the address and the client cookie that it was made for, with our secret alone."""
        made = self.cookies.make(CLIENT, "198.51.100.100", THEN)
        self.assertFalse(self.cookies.is_valid(made, "198.51.100.101", THEN))
        self.assertFalse(self.cookies.is_valid(b"\0" * 8 + made[8:], "198.51.100.100", THEN))
        self.assertFalse(Cookies(b"\0" * 16).is_valid(made, "198.51.100.100", THEN))

    def test_odd_cookies_are_not_valid(self) -> None:
        """A cookie without its server part, cut, too long or of another version is not ours."""
        made = self.cookies.make(CLIENT, "::1", THEN)
        for cookie in (made[:8], made[:16], made + b"x", made[:8] + b"\2" + made[9:]):
            self.assertFalse(self.cookies.is_valid(cookie, "::1", THEN), cookie)
