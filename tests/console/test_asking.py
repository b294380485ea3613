"""The other end of the control socket: for Twisted, and for a command."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.asking import Control, ControlClient
from labnet.console.control import ControlError


class ClientTests(SynchronousTestCase):
    """ControlClient against what is written to its transport."""

    def setUp(self) -> None:
        self.lost = 0
        self.client = ControlClient(self._lose)
        self.transport = StringTransport()
        self.client.makeConnection(self.transport)

    def _lose(self) -> None:
        self.lost += 1

    def reply(self, **reply: Any) -> None:
        self.client.dataReceived(json.dumps(reply).encode() + b"\n")

    def test_replies_find_their_questions(self) -> None:
        """Many questions may be on the way; each gets the reply that is its."""
        first, second = self.client.ask("status"), self.client.ask("flush", name="a")
        lines = [json.loads(line) for line in self.transport.value().splitlines()]
        self.assertEqual(lines, [{"do": "status"}, {"do": "flush", "name": "a"}])
        self.reply(ok=True, result={"pid": 1})
        self.reply(ok=False, error="no")
        self.assertEqual(self.successResultOf(first), {"pid": 1})
        self.assertEqual(self.failureResultOf(second, ControlError).getErrorMessage(), "no")

    def test_a_long_result_is_put_together(self) -> None:
        """The parts of a long result are one list."""
        asked = self.client.ask("dump")
        self.reply(ok=True, more=True, result=["a"])
        self.assertNoResult(asked)
        self.reply(ok=True, result=["b"])
        self.assertEqual(self.successResultOf(asked), ["a", "b"])

    def test_one_that_is_given_up_takes_no_others_reply(self) -> None:
        """The reply to a question that was cancelled goes to nobody."""
        first, second = self.client.ask("status"), self.client.ask("status")
        first.cancel()
        self.failureResultOf(first)
        self.reply(ok=True, result=1)
        self.reply(ok=True, result=2)
        self.assertEqual(self.successResultOf(second), 2)

    def test_a_lost_connection_fails_all(self) -> None:
        """What waits fails, what was given up does not again, and so does what is asked afterwards."""
        first, second = self.client.ask("status"), self.client.ask("status")
        first.cancel()
        self.failureResultOf(first)
        self.client.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(second, ConnectionLost)
        self.failureResultOf(self.client.ask("status"), ConnectionLost)
        self.assertEqual(self.lost, 1)

    def test_it_can_be_closed(self) -> None:
        """Closing closes the transport."""
        self.client.close()
        self.assertTrue(self.transport.disconnecting)


class CommandTests(SynchronousTestCase):
    """Control against a socket whose other end a thread has."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "s")

    def serve(self, *replies: bytes) -> None:
        """Listen, and answer the first request by ``replies``, then close."""
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(self.path)
        listening.listen(1)

        def answer() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"".join(replies))

        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)

    def error(self, use: Callable[[Control], Any]) -> str:
        with self.assertRaises(ControlError) as caught, Control(self.path) as control:
            use(control)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_a_question_is_answered(self) -> None:
        """The result of one reply is its result, that of several is one list."""
        self.serve(b'{"ok":true,"result":{"a":1}}\n')
        with Control(self.path) as control:
            self.assertEqual(control.ask("status"), {"a": 1})

    def test_a_long_one_is_put_together(self) -> None:
        """The parts of a long result are one list."""
        self.serve(b'{"ok":true,"more":true,"result":[1]}\n{"ok":true,"result":[2]}\n')
        with Control(self.path) as control:
            self.assertEqual(control.ask("dump"), [1, 2])

    def test_a_long_one_comes_as_it_is_sent(self) -> None:
        """Its items come one by one."""
        self.serve(b'{"ok":true,"more":true,"result":[1, 2]}\n{"ok":true,"result":[]}\n')
        with Control(self.path) as control:
            self.assertEqual(list(control.stream("dump")), [1, 2])

    def test_an_error_is_told(self) -> None:
        """An error is raised as it was told."""
        self.serve(b'{"ok":false,"error":"there is no resolver"}\n')
        self.assertEqual(self.error(lambda control: control.ask("dump")), "there is no resolver")

    def test_nobody_there(self) -> None:
        """Where nobody listens, the sentence says so, and what to do."""
        self.assertIn("no lab runs here: nobody listens at", self.error(lambda control: None))
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        self.assertIn("no lab runs here: nobody listens at", self.error(lambda control: None))

    def test_no_permission(self) -> None:
        """Where the system refuses, the sentence says who may."""
        self.patch(socket.socket, "connect", self._refuse)
        self.assertIn("no permission to open", self.error(lambda control: None))

    def _refuse(self, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    def test_no_socket(self) -> None:
        """A path too long, or a file that is none, is said."""
        Path(self.path).write_text("")
        self.assertIn(self.path, self.error(lambda control: None))
        self.path = "/" + "x" * 200
        self.assertIn("more than 107 bytes", self.error(lambda control: None))

    def test_an_end_in_the_middle(self) -> None:
        """A lab that ends before it answered is said."""
        self.serve(b'{"ok":true')
        self.assertIn("ended before it answered", self.error(lambda control: control.ask("status")))

    def test_something_else_there(self) -> None:
        """What answers in another language is no lab."""
        self.serve(b"HTTP/1.1 400 Bad Request\n")
        self.assertIn("is no lab", self.error(lambda control: control.ask("status")))

    def test_one_that_says_nothing(self) -> None:
        """A lab that does not answer in time is said."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen(1)
            with self.assertRaises(ControlError) as caught, Control(self.path, 0.01) as control:
                control.ask("status")
        self.assertIn("does not answer within 0.01 s", str(caught.exception))
        os.unlink(self.path)

    def test_a_stop_waits_for_the_end_of_the_process(self) -> None:
        """A lab that has closed its socket and is still there, as this process is, has not stopped."""
        self.serve(b'{"ok":true,"result":null}\n')
        says = self.error(lambda control: control.stop(0.01))
        self.assertIn("does not answer within 0.01 s", says)

    def test_a_stop_that_is_refused_is_told(self) -> None:
        """As any error is."""
        self.serve(b'{"ok":false,"error":"no"}\n')
        self.assertEqual(self.error(lambda control: control.stop()), "no")
