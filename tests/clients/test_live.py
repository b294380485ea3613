"""The command dialogue that listens while a person types."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from unittest import mock

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from twisted.trial.unittest import SynchronousTestCase

from labnet.clients import command, live
from labnet.clients.command import CommandConnection
from labnet.clients.prompting import session

HELLO = b"hello\n"


class Scene:
    """What happens: the server's end of the connection, the keyboard and the clock."""

    def __init__(self, server: socket.socket, keyboard: PipeInput, out: io.StringIO, err: io.StringIO) -> None:
        self.now = 100.0
        self._server = server
        self._keyboard = keyboard
        self._out = out
        self._err = err

    async def hears(self) -> bytes:
        """What the client sends next."""
        return await asyncio.get_running_loop().sock_recv(self._server, 1024)

    def says(self, data: bytes) -> None:
        self._server.sendall(data)

    def closes(self) -> None:
        self._server.close()

    def type(self, text: str) -> None:
        self._keyboard.send_text(text)

    async def shows(self, text: str) -> None:
        """Give way until ``text`` is printed."""
        while text not in self._out.getvalue() + self._err.getvalue():
            await asyncio.sleep(0)


class LiveTests(SynchronousTestCase):
    """One dialogue each, over a real connection in this process, both ends in one event loop."""

    def play(self, script: Callable[[Scene], Awaitable[None]], timeout: float = 30.0) -> tuple[str, str]:
        """Run the dialogue beside ``script``: standard output and standard error."""
        here, there = socket.socketpair()
        there.setblocking(False)
        with mock.patch("socket.create_connection", return_value=here):
            connection = CommandConnection("192.0.2.1", 8080, timeout)
        out, err = io.StringIO(), io.StringIO()

        async def both(keyboard: PipeInput) -> None:
            scene = Scene(there, keyboard, out, err)
            dialogue = live._Dialogue(connection, session("command", lambda: ("TIME", "EXIT")), lambda: scene.now)
            await asyncio.wait_for(asyncio.gather(dialogue.run(), script(scene)), 30)

        with (
            there,
            connection,
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(os.environ, {"XDG_STATE_HOME": folder}),
            create_pipe_input() as keyboard,
            create_app_session(input=keyboard, output=DummyOutput()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            asyncio.run(both(keyboard))
        return out.getvalue(), err.getvalue()

    def test_it_takes_the_transcripts_steps(self) -> None:
        """Greeting, commands with their replies, EXIT, Enter; an empty line asks nothing."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            scene.type("\rTIME\r")
            self.assertEqual(await scene.hears(), b"TIME")
            scene.says(b"noon\n")
            scene.type("EXIT\r")
            self.assertEqual(await scene.hears(), b"EXIT")
            scene.closes()
            scene.type("\r")

        out, err = self.play(script)
        self.assertEqual(out, "MESSAGE!!! ----> Server Message: hello\nMESSAGE!!! ----> Server Response: noon\n")
        self.assertEqual(err, "")

    def test_an_answered_exit_goes_to_the_last_prompt_where_the_server_closes_behind_it(self) -> None:
        """The answer is shown."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            scene.type("EXIT\r")
            await scene.hears()
            scene.says(b"Bye\n")
            await scene.shows("Bye")
            scene.closes()
            scene.type("\r")

        out, err = self.play(script)
        self.assertTrue(out.endswith("Server Response: Bye\n"), out)
        self.assertEqual(err, "")

    def test_what_comes_behind_an_answered_exit_is_shown(self) -> None:
        """And the dialogue goes on."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            scene.type("EXIT\r")
            await scene.hears()
            scene.says(b"no\n")
            await scene.shows("no\n")
            scene.says(b"never\n")
            await scene.shows("never")
            scene.type("TIME\r")
            self.assertEqual(await scene.hears(), b"TIME")
            scene.closes()
            scene.type("\r")

        out, _ = self.play(script)
        self.assertTrue(out.endswith("Server Response: no\nMESSAGE!!! ----> Server Message: never\n"), out)

    def closed_after(self, seconds: float, command: str) -> str:
        """What is said where the server closes so long after ``command``, while half a line is typed."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            await scene.shows("hello")
            if command:
                scene.type(f"{command}\r")
                await scene.hears()
                scene.says(b"noon\n")
                await scene.shows("noon")
            scene.type("half")
            scene.now += seconds
            scene.closes()
            await scene.shows("closed")
            scene.type("\r")

        return self.play(script)[1]

    def test_a_close_is_shown_when_it_happens_with_its_reason(self) -> None:
        """How long after the last command or the connection that was; 15 s is the assignment's time."""
        closed = "labnet: the server closed the connection"
        waits = ": it waits no longer\n"
        self.assertEqual(self.closed_after(15.2, "TIME"), f"{closed} 15 s after the last command{waits}")
        self.assertEqual(self.closed_after(15.0, ""), f"{closed} 15 s after the connection was opened{waits}")
        self.assertEqual(
            self.closed_after(3.0, "TIME"), f"{closed} 3 s after the last command: it has ended or waits no longer\n"
        )

    def test_a_close_instead_of_a_reply(self) -> None:
        """Is said as that; so is one between two prompts."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            scene.type("TIME\r")
            await scene.hears()
            scene.closes()
            scene.type("\r")

        self.assertEqual(self.play(script)[1], "labnet: the server closed the connection instead of answering\n")

    def test_a_close_right_behind_the_greeting(self) -> None:
        """Both are read in one turn of the event loop."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            scene.closes()
            await scene.shows("closed")
            scene.type("\r")

        out, err = self.play(script)
        self.assertIn("Server Message: hello", out)
        self.assertIn("0 s after the connection was opened: it has ended or waits no longer", err)

    def test_what_the_server_says_unasked_is_shown_at_once(self) -> None:
        """Harmless for the terminal."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            await scene.shows("hello")
            scene.says(b"stop in 5 s\x1b[2J\n")
            await scene.shows("stop")
            scene.closes()
            scene.type("\r")

        out, _ = self.play(script)
        self.assertTrue(out.endswith("MESSAGE!!! ----> Server Message: stop in 5 s\\x1b[2J\n"), out)

    def test_a_server_that_keeps_us_waiting_is_told_and_its_greeting_still_comes(self) -> None:
        """One that serves one client at a time greets when the other has left."""

        async def script(scene: Scene) -> None:
            await scene.shows("one client at a time")
            scene.type("TIME\r")
            await scene.hears()
            await scene.shows("no answer from 192.0.2.1 port 8080 in 0.01 s")
            scene.says(HELLO)
            await scene.shows("hello")
            scene.closes()
            scene.type("\r")

        out, err = self.play(script, timeout=0.01)
        self.assertEqual(out, "MESSAGE!!! ----> Server Message: hello\n")
        self.assertTrue(err.startswith("labnet: no greeting from 192.0.2.1 port 8080 in 0.01 s: a server that "), err)

    def test_what_verbose_shows_of_an_arrival_is_printed_outside_of_the_prompt(self) -> None:
        """By what moves the cursor out of it; it is in the order of what happens."""
        real = CommandConnection.receive
        told: list[str] = []

        def receive(connection: CommandConnection) -> str:
            print("received", file=sys.stderr)
            return real(connection)

        def run_in_terminal(call: Callable[[], None]) -> None:
            told.append("left the prompt")
            call()

        self.patch(CommandConnection, "receive", receive)
        self.patch(live, "run_in_terminal", run_in_terminal)

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            await scene.shows("hello")
            scene.closes()
            await scene.shows("closed")
            scene.type("\r")

        _, err = self.play(script)
        self.assertEqual(len(told), 2)
        self.assertTrue(err.startswith("received\nreceived\nlabnet: the server closed"), err)

    def test_an_error_of_the_connection_is_said(self) -> None:
        """In the system's words."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            await scene.shows("hello")
            scene.closes()
            scene.type("\r")

        real = CommandConnection.receive
        error = command.NoAnswer("no answer from 192.0.2.1 port 8080: No route to host")
        self.patch(CommandConnection, "receive", lambda one: real(one) or (_ for _ in ()).throw(error))
        self.assertEqual(self.play(script)[1], f"labnet: {error}\n")

    def test_a_connection_that_breaks_while_a_command_is_sent(self) -> None:
        """Is closed."""

        async def script(scene: Scene) -> None:
            scene.says(HELLO)
            await scene.shows("hello")
            scene.type("TIME\r\r")

        self.patch(CommandConnection, "send", lambda one, text: False)
        self.assertIn("labnet: the server closed the connection", self.play(script)[1])

    def test_end_of_file_and_ctrl_c_at_the_prompt_end_it(self) -> None:
        """Alike."""
        for key in "\x04", "\x03":

            async def script(scene: Scene, key: str = key) -> None:
                scene.says(HELLO)
                await scene.shows("hello")
                scene.type(key)

            with self.assertRaises(EOFError):
                self.play(script)

    def test_end_of_file_and_ctrl_c_leave_quietly(self) -> None:
        """On a new line, with status 0."""
        self.patch(live, "session", lambda *_: None)
        for leaves in EOFError, KeyboardInterrupt:
            self.patch(live._Dialogue, "run", mock.AsyncMock(side_effect=leaves))
            with contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertEqual(live.converse(mock.Mock()), 0)
            self.assertEqual(out.getvalue(), "\n")
