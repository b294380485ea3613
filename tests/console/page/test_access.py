"""Who may look at the page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.page.access import OPERATOR, VIEWER, PageAccess, Role

HERE = ("127.0.0.1", 8090)
OUTSIDE = ("192.0.2.7", 8090)


class HostTests(SynchronousTestCase):
    """The names that the page is called by."""

    def test_an_address_names_the_page_that_listens_there(self) -> None:
        """In any of its forms; localhost on loopback alone."""
        access = PageAccess(hosts=["Lab.Example"])
        for host, local in (
            ("127.0.0.1:8090", HERE),
            ("localhost:8090", HERE),
            ("localhost", ("::1", 1)),
            ("[::1]:8090", ("::1", 8090)),
            ("192.0.2.7:8090", OUTSIDE),
            ("192.0.2.7", ("::ffff:192.0.2.7", 1)),
            ("lab.example:8090", OUTSIDE),
            ("LAB.example", HERE),
        ):
            self.assertTrue(access.is_ours(host, local), host)

    def test_any_other_name_is_refused(self) -> None:
        """A name of somebody else's may lead here too."""
        access = PageAccess(hosts=["lab.example"])
        for host, local in (
            ("evil.example:8090", HERE),
            ("localhost:8090", OUTSIDE),
            ("127.0.0.1:8090", OUTSIDE),
            ("127.0.0.1.evil.example", HERE),
            ("lab.example.evil", HERE),
            ("", HERE),
            ("\x7f", HERE),
            ("é", HERE),
            ("[::1", HERE),
            ("user@127.0.0.1", ("192.0.2.1", 1)),
        ):
            self.assertFalse(access.is_ours(host, local), host)


class RoleTests(SynchronousTestCase):
    """Who somebody is."""

    def setUp(self) -> None:
        self.access = PageAccess("secret", {"main": "student"})

    def test_whoever_uses_this_machine_is_the_operator(self) -> None:
        """Unless a token was configured."""
        self.assertEqual(self.access.role("127.0.0.1", "127.0.0.1", []), Role(OPERATOR))
        self.assertEqual(self.access.role("", "", []), Role(OPERATOR))
        strict = PageAccess("secret", trusts_loopback=False)
        self.assertIsNone(strict.role("127.0.0.1", "127.0.0.1", []))
        self.assertEqual(strict.role("127.0.0.1", "127.0.0.1", ["secret"]), Role(OPERATOR))

    def test_elsewhere_a_token_is_needed(self) -> None:
        """The operator's, or a viewer's, who sees one resolver; on loopback too a viewer is one."""
        for local, peer in (("192.0.2.7", "192.0.2.9"), ("127.0.0.1", "192.0.2.9"), ("192.0.2.7", "127.0.0.1")):
            self.assertIsNone(self.access.role(local, peer, []))
            self.assertIsNone(self.access.role(local, peer, ["", "wrong", "secre", "secret2", "é\ud800"]))
        self.assertEqual(self.access.role("192.0.2.7", "192.0.2.9", ["secret"]), Role(OPERATOR))
        self.assertEqual(self.access.role("127.0.0.1", "127.0.0.1", ["student"]), Role(VIEWER, "main"))

    def test_no_token_is_one_where_none_is_set(self) -> None:
        """An empty one opens nothing."""
        self.assertIsNone(PageAccess().role("192.0.2.7", "192.0.2.9", [""]))

    def test_a_cookie_stands_for_the_token(self) -> None:
        """It is another text, and worth nothing to a lab with another secret."""
        cookie = self.access.cookie(Role(VIEWER, "main"))
        self.assertNotIn("student", cookie)
        self.assertEqual(self.access.role("192.0.2.7", "192.0.2.9", [cookie]), Role(VIEWER, "main"))
        other = PageAccess("secret", {"main": "student"})
        self.assertIsNone(other.role("192.0.2.7", "192.0.2.9", [cookie]))

    def test_a_page_token_is_one_roles_own(self) -> None:
        """A viewer's page cannot act as the operator's; a cookie is no page token."""
        viewer, operator = Role(VIEWER, "main"), Role(OPERATOR)
        self.assertTrue(self.access.is_page_token(self.access.page_token(viewer), viewer))
        self.assertFalse(self.access.is_page_token(self.access.page_token(viewer), operator))
        self.assertFalse(self.access.is_page_token(self.access.cookie(operator), operator))
        self.assertFalse(self.access.is_page_token("é", operator))


class OriginTests(SynchronousTestCase):
    """Where a request comes from."""

    def test_what_another_page_sends_is_not_of_this_origin(self) -> None:
        """By Origin and by Sec-Fetch-Site; a program sends neither."""
        access = PageAccess()
        self.assertTrue(access.is_same_origin("127.0.0.1:8090", None, None))
        self.assertTrue(access.is_same_origin("127.0.0.1:8090", "http://127.0.0.1:8090", "same-origin"))
        for origin, site in (
            ("http://evil.example", None),
            ("http://127.0.0.1:8091", None),
            ("null", None),
            (None, "cross-site"),
            ("http://127.0.0.1:8090", "same-site"),
        ):
            self.assertFalse(access.is_same_origin("127.0.0.1:8090", origin, site), origin)
