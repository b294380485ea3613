"""When the sockets to a DNS parent are opened, replaced and closed."""

from __future__ import annotations

import errno
import resource
import socket
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream import relay_sockets
from labnet.resolver.upstream.relay_sockets import (
    LEAST_SOCKETS,
    LONGEST_USE,
    MOST_FORGED,
    MOST_SOCKETS,
    SHARE,
    RelaySocket,
    RelaySockets,
    affordable_sockets,
)
from tests.resolver.relayfakes import Reactor

SOCKETS = 16


class Asked:
    """What a parent was asked."""

    def __init__(self, since: float = 0.0) -> None:
        self.since = since


class RelaySocketsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.parent = socket.socket(type=socket.SOCK_DGRAM)
        self.parent.bind(("127.0.0.1", 0))
        self.addCleanup(self.parent.close)
        self.received: list[tuple[RelaySocket[Asked], list[bytes]]] = []
        self.failed: list[Asked] = []
        self.pool: RelaySockets[Asked] = RelaySockets(
            self.reactor,
            self.parent.getsockname(),
            lambda *came: self.received.append(came),
            self.failed.extend,
            most=SOCKETS,
        )
        self.addCleanup(self.pool.close)

    def pick(self, chance: int) -> RelaySocket[Asked]:
        sock = self.pool.pick(chance, self.reactor.seconds())
        assert sock is not None
        return sock

    def timers(self) -> list[float]:
        return [call.getTime() - self.reactor.seconds() for call in self.reactor.getDelayedCalls()]

    def test_it_has_so_many_sockets(self) -> None:
        """Opened one by one as chance has it, and used again then; one timer is for all of them."""
        picked = [self.pick(chance) for chance in range(SOCKETS)]
        self.assertEqual(len({sock.fileno() for sock in picked}), SOCKETS)
        self.assertEqual([self.pick(SOCKETS * 7 + turn) for turn in range(SOCKETS)], picked)
        self.assertEqual((self.reactor.readers, len(self.timers())), (picked, 1))

    def test_one_that_waits_for_a_reply_is_not_used_while_there_may_be_more(self) -> None:
        """Each question in flight has a port of its own; where all wait, one is shared."""
        picked = []
        for _ in range(SOCKETS):
            picked.append(self.pick(0))
            picked[-1].asked[b"id"] = Asked()
        self.assertEqual(len({sock.fileno() for sock in picked}), SOCKETS)
        self.assertIs(self.pick(0), picked[0])
        self.assertIs(self.pick(SOCKETS - 1), picked[-1])

    def test_one_that_waits_is_shared_where_no_descriptor_is_left(self) -> None:
        sock = self.pick(0)
        sock.asked[b"id"] = Asked()
        with mock.patch.object(relay_sockets.socket, "socket", side_effect=OSError(errno.EMFILE, "none left")):
            self.assertIs(self.pick(0), sock)

    def test_the_limit_of_descriptors_bounds_how_many_there_are(self) -> None:
        """A process without one has as many as one with plenty."""
        for limit, sockets in (
            (SHARE * MOST_SOCKETS, MOST_SOCKETS),
            (SHARE * MOST_SOCKETS - SHARE, MOST_SOCKETS - 1),
            (1024, 1024 // SHARE),
            (64, LEAST_SOCKETS),
            (1 << 20, MOST_SOCKETS),
            (resource.RLIM_INFINITY, MOST_SOCKETS),
        ):
            with mock.patch.object(resource, "getrlimit", return_value=(limit, limit)):
                self.assertEqual(affordable_sockets(), sockets, limit)

    def test_a_forger_has_found_a_port_that_gets_too_much_that_is_no_reply(self) -> None:
        """Late replies to what was given up are none of a forger's, each once."""
        sock = self.pick(0)
        late = [b"%02d" % number for number in range(50)]
        sock.asked = {id: Asked() for id in late}
        self.pool.give_up(10.0, 5.0)
        self.assertFalse(sock.is_found(late))
        self.assertFalse(sock.is_found([b"xx"] * (MOST_FORGED - 50)))
        self.assertFalse(sock.is_found(late))
        self.assertTrue(sock.is_found([b"xx"]))

    def test_each_is_closed_when_it_is_used_no_more(self) -> None:
        """Whether its turn comes or not; the timer is set for the youngest, and to none where none is left."""
        first = self.pick(0)
        self.reactor.advance(4)
        second = self.pick(1)
        self.reactor.advance(2)
        third = self.pick(2)
        self.assertEqual(self.timers(), [LONGEST_USE - 6])
        self.reactor.advance(LONGEST_USE - 6)
        self.assertEqual((first.closed, self.reactor.readers), (True, [second, third]))
        self.assertIs(self.pick(0), second)
        self.assertEqual(self.timers(), [6])
        self.reactor.advance(6)
        self.assertEqual((second.closed, third.closed, self.reactor.readers, self.timers()), (True, True, [], []))
        fourth = self.pick(0)
        self.assertEqual((self.reactor.readers, self.timers()), ([fourth], [LONGEST_USE]))

    def test_one_that_waits_for_a_reply_stays_open(self) -> None:
        """It is used no more, is read still, and closed when nothing is waited for."""
        sock = self.pick(0)
        sock.asked[b"id"] = Asked()
        self.reactor.advance(LONGEST_USE)
        self.pool.close_retired()
        self.assertEqual((self.reactor.readers, self.timers()), ([sock], []))
        other = self.pick(0)
        self.assertIsNot(other, sock)
        self.parent.sendto(b"reply", sock._socket.getsockname())
        self.reactor.turn()
        self.assertIn((sock, [b"reply"]), self.received)
        self.assertTrue(self.pool.is_waiting)
        del sock.asked[b"id"]
        self.assertFalse(self.pool.is_waiting)
        self.pool.close_retired()
        self.assertEqual((sock.closed, self.reactor.readers, self.failed), (True, [other], []))

    def test_one_whose_time_is_over_at_its_turn_is_replaced(self) -> None:
        """As where it is busy when the timer is due, or the clock was set back."""
        first: RelaySocket[Asked] | None = self.pick(0)
        for now in (LONGEST_USE, -1.0):
            first, before = self.pool.pick(0, now), first
            self.assertIsNot(first, before)
        self.pool.close_retired()
        self.assertEqual(self.reactor.readers, [first])

    def test_one_that_failed_is_replaced(self) -> None:
        """What was asked by it comes back once."""
        sock = self.pick(0)
        sock.asked = {b"id": (asked := Asked())}
        sock.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.failed, sock.fileno(), self.reactor.readers), ([asked], -1, []))
        fresh = self.pick(0)
        self.assertEqual(self.reactor.readers, [fresh])

    def test_what_is_asked_too_long_is_given_up(self) -> None:
        """By every socket, those that are used no more too; and what was asked by a clock that was set back since."""
        retired, asked = self.pick(0), {since: Asked(since) for since in (0.0, 1.0, 99.0, 20.0, 21.0)}
        retired.asked = {b"a": asked[0.0], b"b": asked[1.0]}
        self.reactor.advance(LONGEST_USE)
        young = self.pick(1)
        young.asked = {b"a": asked[99.0], b"b": asked[20.0], b"c": asked[21.0]}
        self.assertEqual(self.pool.give_up(22.0, 21.5), [asked[99.0], asked[0.0]])
        self.assertEqual(self.pool.give_up(22.0, 21.5), [])
        self.assertEqual(self.pool.give_up(22.0, 2.0), [asked[20.0], asked[1.0]])
        self.assertEqual((list(retired.asked), list(young.asked)), ([], [b"c"]))

    def test_what_has_come_is_read_before_it_is_given_up(self) -> None:
        """A process that got no processor for longer than it waits finds the reply, and does not ask again."""
        sock = self.pick(0)
        sock.asked = {b"id": Asked(0.0)}
        self.patch(self.pool, "received", lambda sock, replies: [sock.asked.pop(reply) for reply in replies])
        self.parent.sendto(b"id", sock._socket.getsockname())
        self.assertEqual((self.pool.give_up(9.0, 2.0), sock.asked), ([], {}))

    def test_without_a_descriptor_there_is_none(self) -> None:
        """Nor a timer, and the next time there may be one."""

        def none_left(*_: object) -> socket.socket:
            raise OSError(errno.EMFILE, "Too many open files")

        patch = self.patch(relay_sockets.socket, "socket", none_left)
        self.assertEqual((self.pool.pick(0, 0.0), self.timers()), (None, []))
        patch.restore()
        fresh = self.pick(0)
        self.assertEqual(self.reactor.readers, [fresh])

    def test_closing_leaves_nothing(self) -> None:
        """Neither a socket, those that wait for a reply included, nor a timer; twice is as good."""
        self.pick(0).asked[b"id"] = Asked()
        self.reactor.advance(LONGEST_USE)
        self.pick(0)
        for _ in range(2):
            self.pool.close()
            self.assertEqual((self.reactor.readers, self.timers()), ([], []))
