"""The lines of the log for each request, and how many there are at most."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from labnet.console.requests import LINES, PERIOD, RequestLog
from labnet.events import Datagram, Exchange, ParentChanged, Session, Step
from labnet.interfaces import IEvents

CLIENT = ("192.0.2.1", 4242)
LISTENER = ("127.0.0.1", 1199)


def exchange(reply: bytes = b"www.lab,10.0.0.1,60", result: str = "hit", answer: str = "", *why: Step) -> Exchange:
    datagrams = [Datagram(1.0, CLIENT, LISTENER, b"www.lab")]
    if reply:
        datagrams.append(Datagram(1.0, LISTENER, CLIENT, reply))
    asked = ("main", LISTENER, CLIENT, "course", "udp", "www.lab", "A", 1.0, 1.0012)
    return Exchange("1", *asked, result, answer, None, tuple(datagrams), why)


def session(what: str, text: str = "", reply: str = "", why: str = "") -> Session:
    return Session(1.0, "1", CLIENT, ("127.0.0.1", 8080), what, text, reply, why)


class RequestLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.patch(RequestLog, "log", Logger(observer=lambda event: self.said.append(formatEvent(event))))
        self.log = RequestLog(self.clock)
        self.looks: list[bool] = []
        self.log.changed.append(self.looks.append)
        self.log.startService()
        self.addCleanup(lambda: self.log.running and self.log.stopService())

    def test_it_looks_at_events(self) -> None:
        """It provides the interface, and ids where it is the only one."""
        self.assertTrue(verifyObject(IEvents, self.log))
        self.assertEqual((self.log.new_id(), self.log.new_id()), ("1", "2"))

    def test_a_question_is_a_line(self) -> None:
        """Who, what, the answer, its lifetime, from where, how long."""
        step = Step("parent-answered", {"parent": "192.0.2.53:1200", "milliseconds": "1", "result": "x"})
        self.log.happened(exchange(b"www.lab,10.0.0.1,60", "asked", "", step))
        says = "main: 192.0.2.1:4242 asks www.lab A (course): 10.0.0.1, 60 s, from 192.0.2.53:1200, 1.2 ms"
        self.assertEqual(self.said, [says])

    def test_every_kind_of_reason_is_in_words(self) -> None:
        """The last step that tells where the answer is from counts."""
        lifetime = {"age": 1, "ttl": 60, "left": 59, "source": "192.0.2.53:53", "name": "a", "type": "A"}
        for kind, says in [
            ("records", "from the records"),
            ("cache", "from the cache, by 192.0.2.53:53"),
            ("no-parent", "no parent to ask"),
        ]:
            self.log.happened(exchange(b"x,y,60", "hit", "", Step(kind, lifetime), Step("learned", {"ttl": 1})))
            self.assertIn(f", 60 s, {says}, ", self.said.pop())

    def test_what_got_no_answer_says_why(self) -> None:
        """Dropped, refused, or nothing known."""
        self.log.happened(exchange(b"", "dropped", "", Step("denied", {})))
        self.assertIn(": dropped, The client's network gets no answer at all, 1.2 ms", self.said.pop())
        self.log.happened(exchange(b"\0" * 12, "negative", "NXDOMAIN"))
        self.assertIn(": NXDOMAIN, 1.2 ms", self.said.pop())

    def test_a_session_is_told_from_its_beginning_to_its_end(self) -> None:
        """That it is served is seen by its commands."""
        for what in (
            session("opened"),
            session("waiting", "1"),
            session("served", reply="Connected"),
            session("command", "TIME", "Sun Oct  1"),
            session("command", "EXIT"),
            session("closed", why="no command came in time"),
        ):
            self.log.happened(what)
        self.assertEqual(
            self.said,
            [
                "command: 192.0.2.1:4242 connected",
                "command: 192.0.2.1:4242 waits for its turn, 1 waiting",
                "command: 192.0.2.1:4242 TIME: Sun Oct  1",
                "command: 192.0.2.1:4242 EXIT",
                "command: 192.0.2.1:4242 is gone: no command came in time",
            ],
        )

    def test_other_events_are_no_requests(self) -> None:
        """A parent's state is the status page's."""
        self.log.happened(ParentChanged(1.0, "main", "192.0.2.53:53", "up", None, 0))
        self.assertEqual((self.said, self.clock.getDelayedCalls()), ([], []))

    def test_past_so_many_a_second_it_looks_no_more(self) -> None:
        """So that nothing is made for it; it says so, and looks again in the next second."""
        self.assertEqual(self.log.take(3), 3)
        self.assertEqual(self.log.take(1000, ready=True), LINES)
        for _ in range(2 * LINES):
            self.log.happened(exchange())
        self.assertEqual(len(self.said), LINES + 1)
        self.assertEqual(self.said[-1], "more requests come than are shown, 10 a second")
        self.assertEqual((self.looks, self.log.watched, self.log.wants, self.log.take()), ([False], False, False, 0))
        self.clock.advance(PERIOD)
        self.assertEqual((self.looks, self.log.watched, self.log.take()), ([False, True], True, 1))
        self.log.happened(exchange())
        self.assertEqual(len(self.said), LINES + 2)

    def test_a_stop_leaves_no_timer(self) -> None:
        """Nor does what happens while all is being closed."""
        self.log.happened(exchange())
        self.log.stopService()
        self.log.happened(session("closed", why="the server closed it"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
