"""What the log says of who is not served."""

from __future__ import annotations

from twisted.logger import LogEvent, Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.refusals import RefusedClients
from tests.resolver.lab import Lab, rcode

FAR = ("198.51.100.9", 4242)


class RefusalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        self.patch(RefusedClients, "log", Logger(observer=self.events.append))
        self.lab = Lab(self, {"own.txt": "www.lab,10.0.0.1,60\n"}, allow=["127.0.0.0/8"], deny=["203.0.113.0/24"])

    def test_a_refused_client_is_named_once_a_minute(self) -> None:
        """In both protocols, with how many questions of its network that were."""
        self.assertEqual(rcode(self.lab.ask("www.lab", client=FAR)), "REFUSED")
        self.lab.course("www.lab", FAR)
        self.lab.take(FAR)
        says = "resolver main refuses 198.51.100.9: its network is not in `allow`"
        self.assertEqual([formatEvent(event) for event in self.events], [says])
        self.lab.pass_time(60)
        self.lab.ask("www.lab", client=FAR)
        self.assertEqual(formatEvent(self.events[1]), f"{says} (2 questions of it since the last such line)")
        self.assertEqual(self.lab.service.counts.lost["refused"], 3)

    def test_who_is_denied_on_purpose_is_not_named(self) -> None:
        """Nor is who is past its rate: only who was forgotten in `allow` may be a mistake."""
        self.lab.course("www.lab", ("203.0.113.1", 4242))
        self.assertEqual(self.events, [])
        self.assertEqual(self.lab.service.counts.lost["denied"], 1)
