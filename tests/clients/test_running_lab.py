"""Which server is asked where none is named."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.clients import running_lab
from labnet.clients.errors import NoAnswer
from labnet.clients.running_lab import place_of
from labnet.console import asking
from labnet.console.control import ControlError
from tests.console.test_commands import FakeControl

SERVICES: list[dict[str, Any]] = [
    {"kind": "command", "listeners": ["/run/lab.sock", "127.0.0.1:8080"]},
    {"kind": "resolver", "listeners": ["0.0.0.0:1199", "[::]:1199"]},
    {"kind": "resolver", "listeners": ["127.0.0.1:1200", "[2001:db8::1]:53", "tls [::]:8853", "https 127.0.0.1:8443"]},
]


class PlaceTests(SynchronousTestCase):
    """Of a lab that runs, or of none."""

    def setUp(self) -> None:
        self.services = SERVICES
        self.patch(running_lab, "ask_lab", lambda: self.services)

    def test_what_is_not_named_is_the_labs(self) -> None:
        """A listener on every address is asked at this machine's own."""
        for kind, server, port, place in [
            ("command", None, None, ("127.0.0.1", 8080)),
            ("resolver", None, None, ("127.0.0.1", 1199)),
            ("resolver", "::1", None, ("::1", 1199)),
            ("resolver", None, 1200, ("127.0.0.1", 1200)),
            ("resolver", "2001:db8::1", None, ("2001:db8::1", 53)),
            ("resolver", "192.0.2.1", 5353, ("192.0.2.1", 5353)),
        ]:
            self.assertEqual(place_of(kind, server, port), place)

    def test_what_is_not_the_labs_has_the_usual_place(self) -> None:
        self.assertEqual(place_of("resolver", None, None, "tls"), ("::1", 8853))
        self.assertEqual(place_of("resolver", "127.0.0.1", None, "https"), ("127.0.0.1", 8443))
        self.services = []
        self.assertEqual(place_of("resolver", "192.0.2.1", None), ("192.0.2.1", 53))
        self.assertEqual(place_of("resolver", "192.0.2.1", None, "tls"), ("192.0.2.1", 853))
        self.assertEqual(place_of("resolver", None, 5353), ("127.0.0.1", 5353))
        self.assertEqual(place_of("command", None, 8081), ("127.0.0.1", 8081))

    def test_without_a_lab_it_is_said_what_to_name(self) -> None:
        self.services = []
        with self.assertRaisesRegex(
            NoAnswer, "no lab runs here that has a resolver to ask: start one with labnet run, or name SERVER"
        ):
            place_of("resolver", None, None)
        with self.assertRaisesRegex(NoAnswer, "no lab runs here that has a command server to ask"):
            place_of("command", None, None)
        with self.assertRaisesRegex(NoAnswer, r"has no command server at 192\.0\.2\.1: name its port too"):
            place_of("command", "192.0.2.1", None)


class AskTests(SynchronousTestCase):
    """What the lab itself says."""

    def test_its_status_has_the_listeners(self) -> None:
        control = FakeControl()
        control.answers["status"] = [{"services": SERVICES}]
        self.patch(asking, "Control", control)
        self.assertEqual(running_lab.ask_lab(), SERVICES)

    def test_no_lab_has_none(self) -> None:
        control = FakeControl()
        control.fails = ControlError("no lab runs here")
        self.patch(asking, "Control", control)
        self.assertEqual(running_lab.ask_lab(), [])
