"""The server of a shared cache: its time, its bounds, and how it is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from labnet.config.services import SharedConfig
from labnet.resolver.shared.cache import SharedCache
from labnet.resolver.shared.connection import MOST_UNREAD, RedisAddress
from labnet.resolver.shared.interfaces import ISharedStore
from labnet.resolver.shared.store import LAST_WORDS, MOST_CALLS, PATIENCE, RETRY, RedisStore, shared_cache
from labnet.resolver.shared.values import Flush, Looked, StoreGone, encode_flush

Command = list[bytes]


class TurningClock(Clock):
    """A clock whose zero-second calls wait for the next turn, as a reactor's do."""

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.calls if call.getTime() <= self.rightNow]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


class Transport(StringTransport):
    """One connection, as the server sees it."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self.is_closed = False

    def commands(self) -> Iterator[Command]:
        """What was sent since the last look."""
        data = self.value()
        self.clear()
        while data:
            count, _, data = data[1:].partition(b"\r\n")
            parts = []
            for _ in range(int(count)):
                size, _, data = data[1:].partition(b"\r\n")
                parts.append(data[: int(size)])
                data = data[int(size) + 2 :]
            yield parts

    def reply(self, *data: bytes) -> None:
        whole = b"".join(data)
        for start in range(0, len(whole), 65536):  # as much as Twisted reads in one go
            if not self.is_closed:
                self.protocol.dataReceived(whole[start : start + 65536])

    def abortConnection(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        super().loseConnection()
        self.close()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Where the server is; it ``refuses``, or is connected to at once, or does not ``accept`` for now."""

    def __init__(self) -> None:
        self.refuses = False
        self.accepts = True
        self.connections: list[Transport] = []
        self.tries = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        self.tries += 1
        connected: Deferred[Any] = Deferred()
        if self.refuses:
            connected.errback(ConnectionRefusedError(111))
        elif self.accepts:
            protocol = factory.buildProtocol(None)
            self.connections.append(Transport(protocol))
            protocol.makeConnection(self.connections[-1])
            connected.callback(protocol)
        return connected


def bulk(data: bytes | None) -> bytes:
    return b"$-1\r\n" if data is None else b"$%d\r\n%b\r\n" % (len(data), data)


def array(*replies: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(replies), b"".join(replies))


def looked(value: bytes | None, left: int, word: bytes) -> bytes:
    return array(bulk(value), b":%d\r\n" % left, bulk(word))


class RedisTests(SynchronousTestCase):
    """A server in memory, which answers what is part of connecting by itself."""

    url = "redis://127.0.0.1"

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.endpoint = Endpoint()
        self.said: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)
        self.store = RedisStore(RedisAddress.of(self.url), self.endpoint, self.clock, Random(1), "lab:", 0.05)
        self.shared = SharedCache(self.store, self.clock, Random(2), 0.05, 5.0)
        self.store.shared = self.shared
        self.told: list[tuple[bytes, bytes]] = []
        self.flushed: list[Flush] = []
        self.events: list[str] = []
        self.patch(self.shared, "on_message", lambda key, value: self.told.append((key, value)))
        self.patch(self.shared, "flushed", self.flushed.append)
        self.patch(self.shared, "gone", lambda: self.events.append("gone"))
        self.patch(self.shared, "back", lambda: self.events.append("back"))

    def _observe(self, event: dict[str, Any]) -> None:
        if event.get("log_namespace", "").startswith("labnet.resolver.shared.store"):
            self.said.append((event["log_level"], event["event"]))

    def tearDown(self) -> None:
        """Stopped, it leaves neither a timer nor a connection."""
        if self.store.running:
            self.successResultOf(self.store.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(all(connection.is_closed for connection in self.endpoint.connections))

    @property
    def server(self) -> Transport:
        """The connection that commands come by."""
        return self.endpoint.connections[-2]

    @property
    def messages(self) -> Transport:
        return self.endpoint.connections[-1]

    def shake_hands(self) -> list[Command]:
        """Answer what is said first, until nothing more comes; what it was."""
        commands: list[Command] = []
        while True:
            fresh = [(each, one) for each in self.endpoint.connections if not each.is_closed for one in each.commands()]
            if not fresh:
                return commands
            for connection, command in fresh:
                commands.append(command)
                self.answer(connection, command)

    def answer(self, connection: Transport, command: Command) -> None:
        if command[0] == b"SCRIPT":
            connection.reply(bulk(b"look" if b"NUMSUB" in command[2] else b"tell"))
        elif command[0] == b"SUBSCRIBE":
            for number, channel in enumerate(command[1:], 1):
                connection.reply(array(bulk(b"subscribe"), bulk(channel), b":%d\r\n" % number))
        else:
            connection.reply({b"PING": b"+PONG\r\n"}.get(command[0], b"+OK\r\n"))

    def start(self) -> list[Command]:
        self.store.startService()
        commands = self.shake_hands()
        self.assertTrue(self.store.is_up)
        return commands

    def look(self, within: float = 0.05) -> Deferred[Looked]:
        return self.store.look(b"key", b"t" * 32, 5.0, False, within)

    def sent(self) -> Command:
        (command,) = self.server.commands()
        return command

    def pass_time(self, seconds: float) -> None:
        """Turn by turn, as the reactor does."""
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and (due := min(call.getTime() for call in calls)) <= end + 1e-9:
            self.clock.rightNow = max(due, self.clock.rightNow)
            self.clock.advance(0)
        self.clock.rightNow = max(end, self.clock.rightNow)

    def test_it_connects_twice_and_says_so_once(self) -> None:
        """Both scripts are there before anything is asked, and it has answered in time."""
        commands = self.start()
        verifyObject(ISharedStore, self.store)
        self.assertEqual([command[0] for command in commands], [b"SELECT", b"SCRIPT", b"SCRIPT", b"SUBSCRIBE", b"PING"])
        channels = commands[3][1:]
        self.assertEqual(channels[1], b"lab:flush")
        self.assertTrue(channels[0].startswith(b"lab:lab:"))
        self.assertEqual(self.said, [(LogLevel.info, "shared.joined")])
        self.assertEqual(self.events, ["back"])

    def test_a_look_says_what_the_server_says(self) -> None:
        """And is asked of the script, with keys of its own."""
        commands = self.start()
        for reply, says in (
            (looked(b"value", 1500, b"value"), Looked(b"value", 1.5)),
            (looked(None, -1, b"ours"), Looked(None, -0.001, ours=True)),
            (looked(None, -1, b"theirs"), Looked(None, -0.001, theirs=True)),
            (looked(b"", 10, b"ours"), Looked(b"", 0.01, ours=True)),
        ):
            asking = self.look()
            expected = [b"EVALSHA", b"look", b"3", b"lab:key", b"lab:lock:key", b"lab:wait:key"]
            self.assertEqual(self.sent(), [*expected, commands[3][1], b"t" * 32, b"5000", b"0"])
            self.server.reply(reply)
            self.assertEqual(self.successResultOf(asking), says)

    def test_answers_in_one_segment_are_all_read(self) -> None:
        """And so is one that comes byte by byte."""
        self.start()
        asking = [self.look() for _ in range(200)]
        self.server.reply(*[looked(b"x" * number, 1, b"value") for number in range(200)])
        self.assertEqual([len(self.successResultOf(each).value or b"") for each in asking], list(range(200)))
        one = self.look()
        for byte in looked(b"v\r\n$5\r\n", 1, b"value"):
            self.server.reply(bytes((byte,)))
        self.assertEqual(self.successResultOf(one).value, b"v\r\n$5\r\n")

    def test_a_server_has_its_time_and_no_more(self) -> None:
        """Fifty milliseconds; then it is in doubt and asked nothing, until it answers in time."""
        self.start()
        asking = self.look()
        self.pass_time(0.0499)
        self.assertNoResult(asking)
        self.assertTrue(self.store.is_up)
        self.pass_time(0.0001)
        self.failureResultOf(asking, StoreGone)
        self.assertFalse(self.store.is_up)
        self.assertEqual(self.events, ["back", "gone"])
        self.server.reply(looked(None, -1, b"ours"))
        self.assertFalse(self.store.is_up)
        self.server.reply(b"+PONG\r\n")
        self.assertTrue(self.store.is_up)
        self.assertEqual(self.events, ["back", "gone", "back"])
        self.assertEqual(self.said, [(LogLevel.info, "shared.joined")])

    def test_more_than_half_of_its_time_is_slow(self) -> None:
        """Which the answer says."""
        self.start()
        for passes, is_slow in ((0.024, False), (0.026, True)):
            asking = self.look()
            self.pass_time(passes)
            self.server.reply(looked(None, -1, b"theirs"))
            self.assertEqual(self.successResultOf(asking).is_slow, is_slow)

    def test_a_lab_that_is_busy_is_not_taken_for_a_slow_server(self) -> None:
        """What came while it was busy is read before the time is found to be over."""
        self.start()
        asking = self.look()
        for _ in range(4):  # sent, half of the time is over, a further look, all of it is over
            self.clock.advance(10)
        self.assertNoResult(asking)
        self.server.reply(looked(None, -1, b"ours"))
        self.assertTrue(self.successResultOf(asking).ours)
        self.assertTrue(self.store.is_up)

    def test_a_server_that_stays_silent_is_gone(self) -> None:
        """Its connections are aborted, it is said once, and every second it is looked for."""
        self.start()
        asking = self.look()
        self.pass_time(0.05)
        self.failureResultOf(asking, StoreGone)
        self.pass_time(PATIENCE)
        self.assertTrue(all(connection.is_closed for connection in self.endpoint.connections))
        self.assertEqual(self.said[1:], [(LogLevel.warn, "shared.gone")])
        self.endpoint.refuses = True
        tries = self.endpoint.tries
        self.pass_time(10 * RETRY)
        self.assertEqual(self.endpoint.tries, tries + 10)
        self.assertEqual(len(self.said), 2)
        self.endpoint.refuses = False
        self.pass_time(RETRY)
        self.shake_hands()
        self.assertTrue(self.store.is_up)
        self.assertEqual(self.said[2:], [(LogLevel.info, "shared.back")])

    def test_a_server_that_answers_late_each_time_stays_away(self) -> None:
        """Nobody is ever made to wait for it."""
        self.store.startService()
        for _ in range(3):
            while commands := [(each, one) for each in self.endpoint.connections[-2:] for one in each.commands()]:
                for connection, command in commands:
                    if command[0] == b"PING":
                        self.pass_time(0.06)
                    if not connection.is_closed:
                        self.answer(connection, command)
            self.assertFalse(self.store.is_up)
            self.pass_time(PATIENCE + RETRY)
        self.assertEqual(self.said, [(LogLevel.warn, "shared.gone")])
        self.assertEqual(self.events, [])

    def test_a_server_that_hangs_while_it_is_connected_to_is_given_up(self) -> None:
        """Be it before it accepts or after."""
        self.endpoint.accepts = False
        self.store.startService()
        self.pass_time(PATIENCE + RETRY)
        self.endpoint.accepts = True
        self.assertEqual(self.said, [(LogLevel.warn, "shared.gone")])
        self.pass_time(PATIENCE + RETRY)
        self.assertFalse(self.store.is_up)
        self.pass_time(PATIENCE + RETRY)
        self.assertLessEqual(sum(not each.is_closed for each in self.endpoint.connections), 2)
        self.assertGreaterEqual(self.endpoint.tries, 3)
        self.assertEqual(len(self.said), 1)

    def test_a_reply_of_nested_arrays_ends_the_connection(self) -> None:
        """A scan has an array in an array; nothing that is asked for has more, and a nest costs no time."""
        self.start()
        flushing = self.store.flush(Flush(None, "main"))
        self.sent()
        self.server.reply(array(bulk(b"0"), array(bulk(b"lab:x"))))
        self.assertEqual(self.sent()[0], b"UNLINK")
        looking = self.look()
        self.server.reply(b"*1\r\n" * 100_000)
        self.failureResultOf(looking, StoreGone)
        self.failureResultOf(flushing, StoreGone)
        self.assertFalse(self.store.is_up)

    def test_a_connection_that_is_lost_fails_all_at_once(self) -> None:
        """Either of the two."""
        for lost in "server", "messages":
            if lost == "server":
                self.start()
            else:
                self.pass_time(RETRY)
                self.shake_hands()
            asking = self.look()
            getattr(self, lost).close()
            self.failureResultOf(asking, StoreGone)
            self.assertFalse(self.store.is_up)
            self.assertTrue(self.server.is_closed)
            self.assertTrue(self.messages.is_closed)

    def test_no_more_than_so_many_wait_for_an_answer(self) -> None:
        """A further question fails at once; what is to be told may still be."""
        self.start()
        asking = [self.look() for _ in range(MOST_CALLS)]
        self.failureResultOf(self.look(), StoreGone)
        telling = [self.store.tell(b"key", b"", b"value", 1.0) for _ in range(MOST_CALLS)]
        self.failureResultOf(self.store.tell(b"key", b"", b"value", 1.0), StoreGone)
        self.pass_time(0.05 + PATIENCE)
        for each in asking + telling:
            self.failureResultOf(each, StoreGone)

    def test_a_silent_server_that_nobody_asks_is_noticed(self) -> None:
        """Its messages would be missed."""
        self.start()
        self.pass_time(RETRY)
        self.assertEqual(self.sent(), [b"PING"])
        self.server.reply(b"+PONG\r\n")
        self.pass_time(RETRY)
        self.assertEqual(self.sent(), [b"PING"])
        self.pass_time(PATIENCE)
        self.assertEqual(self.said[1:], [(LogLevel.warn, "shared.gone")])

    def test_what_is_told_goes_to_the_script(self) -> None:
        """With the milliseconds that it is kept."""
        self.start()
        for left, milliseconds in ((60.0, b"60000"), (0.0001, b"1"), (0.0, b"0")):
            telling = self.store.tell(b"key", b"token", b"value", left)
            keys = [b"lab:key", b"lab:lock:key", b"lab:wait:key"]
            self.assertEqual(self.sent(), [b"EVALSHA", b"tell", b"3", *keys, b"token", b"value", milliseconds])
            self.server.reply(bulk(b"done"))
            self.assertIsNone(self.successResultOf(telling))

    def test_a_full_server_is_said_once_and_so_is_its_room(self) -> None:
        """Its words cannot forge a line of the log."""
        self.start()
        for _ in range(3):
            asking = self.look()
            self.server.reply(looked(None, -1, b"OOM\r\nforged \xff"))
            self.assertEqual(self.successResultOf(asking), Looked(None, -0.001))
            telling = self.store.tell(b"key", b"", b"value", 1.0)
            self.server.reply(bulk(b"OOM"))
            self.successResultOf(telling)
        self.assertEqual(self.said[1:], [(LogLevel.warn, "shared.full")])
        self.clock.rightNow += RETRY
        for _ in range(2):
            asking = self.look()
            self.server.reply(looked(None, -1, b"ours"))
            self.successResultOf(asking)
        self.assertEqual(self.said[2:], [(LogLevel.info, "shared.room")])
        self.assertTrue(self.store.is_up)

    def test_an_error_ends_the_connection_but_for_a_foreign_key(self) -> None:
        """A script that is gone comes back with the next connection."""
        self.start()
        asking = self.look()
        self.server.reply(b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
        self.failureResultOf(asking, StoreGone)
        self.assertTrue(self.store.is_up)
        asking = self.look()
        self.server.reply(b"-NOSCRIPT No matching script\r\n")
        self.failureResultOf(asking, StoreGone)
        self.assertFalse(self.store.is_up)
        self.pass_time(RETRY)
        self.shake_hands()
        self.assertTrue(self.store.is_up)

    def test_a_server_that_talks_nonsense_loses_the_connection(self) -> None:
        """Without a traceback, and without being listened to for ever."""
        self.store.startService()
        for nonsense in (
            b"\xff\xfe\r\n",
            b"HTTP/1.1 400 Bad Request\r\n" * 100_000,
            b":1\r\n",
            b"$999999999\r\n" + b"x" * (MOST_UNREAD + 1),
            b"*1\r\n" * 500_000,
            b"$-7\r\n\r\n" + b"x" * (MOST_UNREAD + 1),
        ):
            self.shake_hands()
            self.assertTrue(self.store.is_up, nonsense[:20])
            if not nonsense.startswith(b":"):
                asking = self.look()
                asking.addErrback(lambda failure: failure.trap(StoreGone) and None)
            self.server.reply(nonsense)
            self.assertFalse(self.store.is_up, nonsense[:20])
            self.pass_time(RETRY)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_answer_of_another_shape_is_none(self) -> None:
        """The question goes alone."""
        self.start()
        for reply in bulk(b"x"), array(), array(b":1\r\n", bulk(b"x"), bulk(b"x")), b"$-1\r\n":
            asking = self.look()
            self.server.reply(reply)
            self.failureResultOf(asking, StoreGone)

    def test_messages_reach_who_waits(self) -> None:
        """Those that are none are passed over."""
        own = self.start()[3][1]
        flush = Flush(b"\3www\0", None)
        for channel, message in (
            (own, b"7:lab:keyvalue"),
            (own, b"7:lab:key"),
            (own, b"value"),
            (own, b"x:value"),
            (own, b"999999999:value"),
            (b"lab:flush", encode_flush(flush, "another")),
            (b"lab:flush", encode_flush(flush, own.removeprefix(b"lab:lab:").decode())),
            (b"lab:flush", b"junk"),
        ):
            self.messages.reply(array(bulk(b"message"), bulk(channel), bulk(message)))
        self.assertEqual(self.told, [(b"key", b"value"), (b"key", b"")])
        self.assertEqual(self.flushed, [flush])

    def test_a_flush_goes_through_all_keys(self) -> None:
        """Step by step; then all labs are told."""
        own = self.start()[3][1].removeprefix(b"lab:lab:").decode()
        flush = Flush(b"\3www\0", None)
        flushing = self.store.flush(flush)
        self.assertEqual(self.sent()[:4], [b"SCAN", b"0", b"MATCH", b"lab:1:*:www"])
        self.server.reply(array(bulk(b"17"), array(bulk(b"lab:a"), bulk(b"lab:b"))))
        self.assertEqual(self.sent(), [b"UNLINK", b"lab:a", b"lab:b"])
        self.server.reply(b":2\r\n")
        self.assertEqual(self.sent()[:2], [b"SCAN", b"17"])
        self.server.reply(array(bulk(b"0"), array()))
        self.assertEqual(self.sent()[:4], [b"SCAN", b"0", b"MATCH", b"lab:1:*.www"])
        self.server.reply(b"+junk\r\n")
        self.assertEqual(self.sent(), [b"PUBLISH", b"lab:flush", encode_flush(flush, own)])
        self.server.reply(b":1\r\n")
        self.assertEqual(self.successResultOf(flushing), 2)

    def test_without_a_connection_everything_fails_at_once(self) -> None:
        """Nothing is kept to be sent later."""
        for asking in (
            self.look(),
            self.store.tell(b"key", b"", b"value", 1.0),
            self.store.ping(1.0),
            self.store.flush(Flush(None, "main")),
        ):
            self.failureResultOf(asking, StoreGone)

    def test_who_gives_up_does_not_hear_of_it(self) -> None:
        """The answer still comes, and is taken off the queue."""
        self.start()
        asking = self.look()
        asking.addErrback(lambda _: None).cancel()
        second = self.look()
        self.server.reply(looked(None, -1, b"ours"), looked(b"second", 1, b"value"))
        self.assertEqual(self.successResultOf(second).value, b"second")

    def test_stopping_sends_the_last_words(self) -> None:
        """A server that does not take them is aborted after a while."""
        self.start()
        self.patch(Transport, "loseConnection", StringTransport.loseConnection)
        self.patch(Transport, "abortConnection", Transport.close)
        stopping = self.store.stopService()
        self.assertNoResult(stopping)
        self.assertEqual([each.disconnecting for each in self.endpoint.connections], [True, True])
        self.pass_time(LAST_WORDS)
        self.successResultOf(stopping)

    def test_stopping_while_it_connects_leaves_nothing(self) -> None:
        """Nor does stopping while it is away."""
        self.endpoint.accepts = False
        self.store.startService()
        self.successResultOf(self.store.stopService())
        self.endpoint.refuses = True
        self.store.startService()
        self.successResultOf(self.store.stopService())


class LoginTests(RedisTests):
    """The same with a name and a password."""

    url = "redis://user:p%40ss@[::1]:7000/3"

    def test_it_connects_twice_and_says_so_once(self) -> None:
        """Who it is stands first on each connection."""
        self.store.startService()
        commands = [one for each in self.endpoint.connections for one in each.commands()]
        self.assertEqual(commands, [[b"AUTH", b"user", b"p@ss"]])
        self.server_of(0).reply(b"+OK\r\n")
        self.assertEqual(list(self.server_of(1).commands()), [[b"AUTH", b"user", b"p@ss"]])
        self.server_of(1).reply(b"+OK\r\n")
        self.assertEqual(list(self.server_of(0).commands()), [[b"SELECT", b"3"]])

    def server_of(self, number: int) -> Transport:
        return self.endpoint.connections[number]

    def start(self) -> list[Command]:
        return [command for command in super().start() if command[0] != b"AUTH"]

    def test_a_password_that_is_refused_is_tried_again(self) -> None:
        """It may be set on the server later; the log has the server's words and not the password."""
        texts: list[str] = []

        def observe(event: dict[str, Any]) -> None:
            texts.append(repr(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.store.startService()
        list(self.server_of(0).commands())
        self.server_of(0).reply(b"-WRONGPASS invalid username-password pair\r\n")
        self.assertEqual(self.said, [(LogLevel.warn, "shared.gone")])
        self.pass_time(RETRY)
        self.shake_hands()
        self.assertTrue(self.store.is_up)
        self.assertIn("WRONGPASS", "".join(texts))
        self.assertNotIn("p@ss", "".join(texts))
        self.assertNotIn("p%40ss", "".join(texts))


class PlaceTests(SynchronousTestCase):
    """Where the server is."""

    def test_a_url_says_where(self) -> None:
        """What is left out is usual."""
        self.assertEqual(RedisAddress.of("redis://cache.lab"), RedisAddress("cache.lab", 6379, "", "", 0))
        self.assertEqual(RedisAddress.of("redis://:a%2Fb@[::1]:1/2"), RedisAddress("::1", 1, "", "a/b", 2))
        self.assertEqual(str(RedisAddress.of("redis://u:secret@[::1]:1/2")), "[::1]:1")

    def test_a_lab_joins_by_its_configuration(self) -> None:
        """By an address, or by a name that is looked up."""
        from twisted.internet import reactor

        for host in "127.0.0.1", "[::1]", "cache.lab":
            config = SharedConfig.model_validate({"url": f"redis://:secret@{host}", "timeout": 0.02, "lock": 3})
            shared, store = shared_cache(config, reactor, Random(1))
            self.assertIs(store.shared, shared)
            self.assertEqual((shared.timeout, shared.lock), (0.02, 3))
            self.assertNotIn("secret", repr(config))
