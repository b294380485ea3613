"""Who may connect."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.command.admission import SessionAdmission
from labnet.config.services import CommandConfig

HOST = "192.0.2.7"
OTHER = "192.0.2.8"
FAR = "198.51.100.9"


class AdmissionTests(SynchronousTestCase):
    """The rules by themselves; tests of the service show them on a port."""

    def admission(self, **settings: Any) -> SessionAdmission:
        self.settings = {"allow": ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"], **settings}
        return SessionAdmission(CommandConfig(**self.settings))

    def changed(self, admission: SessionAdmission, **settings: Any) -> None:
        admission.change(CommandConfig(**{**self.settings, **settings}))

    def test_who_is_not_allowed_is_denied(self) -> None:
        """Those outside of every network, and those inside of one that is denied."""
        admission = self.admission(deny=["192.0.2.8/32"])
        hosts = [HOST, OTHER, FAR, "203.0.113.1", "2001:db8::1", "2001:db9::1", "127.0.0.1"]
        refusals = [admission.refusal(host, 0) for host in hosts]
        self.assertEqual(refusals, [None, "denied", None, "denied", None, "denied", "denied"])

    def test_loopback_alone_is_allowed_by_default(self) -> None:
        """Until the configuration says otherwise."""
        admission = SessionAdmission(CommandConfig())
        self.assertEqual([admission.refusal(host, 0) for host in ("127.0.0.1", "::1", HOST)], [None, None, "denied"])

    def test_sessions_in_all_are_limited(self) -> None:
        """One that leaves makes room."""
        admission = self.admission(sessions=2)
        admission.arrived(HOST)
        self.assertIsNone(admission.refusal(OTHER, 0))
        admission.arrived(OTHER)
        self.assertEqual(admission.refusal(FAR, 0), "limit")
        admission.left(HOST)
        self.assertIsNone(admission.refusal(FAR, 0))

    def test_sessions_of_an_address_are_limited(self) -> None:
        """Each address for itself; 0 sets no limit."""
        admission = self.admission(sessions_per_address=2)
        for _ in range(2):
            self.assertIsNone(admission.refusal(HOST, 0))
            admission.arrived(HOST)
        self.assertEqual([admission.refusal(host, 0) for host in (HOST, OTHER)], ["limit", None])
        admission.left(HOST)
        admission.left(HOST)
        admission.arrived(HOST)
        self.assertIsNone(admission.refusal(HOST, 0))
        free = self.admission(sessions_per_address=0)
        for _ in range(1000):
            free.arrived(HOST)
        self.assertIsNone(free.refusal(HOST, 0))

    def test_connections_of_a_network_are_limited_in_their_rate(self) -> None:
        """Two seconds of it may come at once, then as many as the rate says; others are not concerned."""
        admission = self.admission(connect_rate=10)
        came = [admission.refusal(host, 0) for host in [HOST, OTHER] * 15]
        self.assertEqual(came, [None] * 20 + ["rate"] * 10)
        self.assertIsNone(admission.refusal(FAR, 0))
        self.assertEqual([admission.refusal(HOST, 0.5) for _ in range(6)], [None] * 5 + ["rate"])

    def test_a_low_rate_lets_a_few_come_at_once(self) -> None:
        """A beginner's program opens several."""
        admission = self.admission(connect_rate=0.1)
        self.assertEqual([admission.refusal(HOST, 0) for _ in range(6)], [None] * 5 + ["rate"])

    def test_a_change_counts_at_once(self) -> None:
        """Sessions that are there are counted on; what was used up of the rate stays used up, unless that changes."""
        admission = self.admission(connect_rate=1)
        admission.arrived(HOST)
        for _ in range(5):
            admission.refusal(HOST, 0)
        self.changed(admission, sessions=1)
        self.assertEqual(admission.refusal(HOST, 0), "limit")
        self.changed(admission)
        self.assertEqual(admission.refusal(HOST, 0), "rate")
        self.changed(admission, connect_rate=2)
        self.assertIsNone(admission.refusal(HOST, 0))
        self.changed(admission, deny=["192.0.2.0/24"])
        self.assertEqual(admission.refusal(HOST, 0), "denied")
