"""The command server's client."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import threading
from collections.abc import Callable
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.command import CommandConnection, converse, run
from labnet.clients.errors import NoAnswer

GREETING = b"Connected: your IP address is 127.0.0.1 and your port is 39770\n"
TIME = b"Sun Oct  1 13:33:03 2023\n"


class FakeSocket:
    """Gives what the server sends, one item a receive; an error is raised, and the end of the stream stays."""

    def __init__(self, *arrive: bytes | OSError, breaks: OSError | None = None) -> None:
        self._arrive = [*arrive, b""]
        self._breaks = breaks
        self.sent: list[bytes] = []
        self.closed = False
        self.timeouts: list[float] = []

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def recv(self, size: int) -> bytes:
        arrived = self._arrive.pop(0) if len(self._arrive) > 1 else self._arrive[0]
        if isinstance(arrived, OSError):
            raise arrived
        return arrived

    def sendall(self, data: bytes) -> None:
        if self._breaks is not None:
            raise self._breaks
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True


class ClientTestCase(SynchronousTestCase):
    """A test that sees what is printed and plays the person at the keyboard."""

    def connection(self, sock: FakeSocket) -> CommandConnection:
        with mock.patch("socket.create_connection", return_value=sock):
            return CommandConnection("192.0.2.1", 8080, timeout=2.5)

    def typed(self, *lines: str | type[BaseException]) -> list[str]:
        """``lines`` are what input() gives; the prompts it was called with come back in the list."""
        prompts: list[str] = []
        script = iter(lines)

        def ask(prompt: str = "") -> str:
            prompts.append(prompt)
            line = next(script)
            if isinstance(line, str):
                return line
            raise line()

        self.patch(__import__("builtins"), "input", ask)
        return prompts

    def printed(self, call: Callable[[], int]) -> tuple[int, str, str]:
        """The exit status, standard output and standard error."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            status = call()
        return status, out.getvalue(), err.getvalue()


class ConnectionTests(ClientTestCase):
    """Commands and replies."""

    def test_a_command_goes_out_without_a_newline_and_one_receive_is_its_reply(self) -> None:
        """As with the clients of the course; the reply comes without its newline."""
        sock = FakeSocket(GREETING, TIME, b"no newline")
        with self.connection(sock) as connection:
            self.assertEqual(connection.receive(), GREETING.decode().rstrip("\n"))
            self.assertEqual(connection.ask("TIME"), TIME.decode().rstrip("\n"))
            self.assertEqual(connection.ask("שעה"), "no newline")
        self.assertEqual(sock.sent, [b"TIME", "שעה".encode()])
        self.assertTrue(sock.closed)

    def test_bytes_that_are_no_text_pass_both_ways(self) -> None:
        """An argument of odd bytes is sent as it is; an odd reply is shown as well as it can be."""
        sock = FakeSocket(b"\xff!\n")
        self.assertEqual(self.connection(sock).ask(b"\xfe".decode(errors="surrogateescape")), "\ufffd!")
        self.assertEqual(sock.sent, [b"\xfe"])

    def test_a_closed_connection_is_an_empty_reply(self) -> None:
        """However the server closed it."""
        reset, broken = ConnectionResetError(errno.ECONNRESET, "x"), BrokenPipeError(errno.EPIPE, "x")
        for sock in FakeSocket(), FakeSocket(reset), FakeSocket(breaks=reset), FakeSocket(breaks=broken):
            self.assertEqual(self.connection(sock).ask("TIME"), "")

    def test_a_silent_server_is_no_answer(self) -> None:
        """The error says who was silent for how long."""
        with self.assertRaisesRegex(NoAnswer, r"^no answer from 192\.0\.2\.1 port 8080 in 2\.5 s$"):
            connection = self.connection(FakeSocket(GREETING, TimeoutError("timed out")))
            connection.receive()
            connection.ask("TIME")

    def test_a_server_that_does_not_greet_may_be_serving_another(self) -> None:
        """The error says so."""
        with self.assertRaisesRegex(NoAnswer, r"in 2\.5 s, nor a greeting: a server that serves one client at a time "):
            run(self.connection(FakeSocket(TimeoutError("timed out"))), ["TIME"])

    def test_any_other_error_is_no_answer(self) -> None:
        """In the system's words."""
        error = OSError(errno.EHOSTUNREACH, "No route to host")
        with self.assertRaisesRegex(NoAnswer, r"^no answer from .*: No route to host$"):
            self.connection(FakeSocket(error)).ask("TIME")
        with self.assertRaisesRegex(NoAnswer, r"^cannot send to .*: No route to host$"):
            self.connection(FakeSocket(breaks=error)).ask("TIME")


class ConnectingTests(SynchronousTestCase):
    """Opening the connection."""

    def attempts(self, *outcomes: object, tries: int = 3) -> tuple[int, str]:
        """How often it was tried, and the error that came out in the end."""
        with mock.patch("socket.create_connection", side_effect=outcomes) as create:
            error = ""
            try:
                CommandConnection("server", 8080, timeout=2.5, tries=tries)
            except NoAnswer as failure:
                error = str(failure)
        create.assert_called_with(("server", 8080), 2.5)
        return create.call_count, error

    def test_it_tries_again(self) -> None:
        """Until it succeeds."""
        self.assertEqual(self.attempts(TimeoutError("timed out"), FakeSocket()), (2, ""))

    def test_it_gives_up_after_its_tries(self) -> None:
        """The error says why: the system's words, or that it took too long."""
        late = TimeoutError("timed out")
        self.assertEqual(
            self.attempts(late, late, tries=2), (2, "cannot connect to server port 8080: no connection in 2.5 s")
        )
        far = OSError(errno.EHOSTUNREACH, "No route to host")
        self.assertEqual(self.attempts(far, far, far), (3, "cannot connect to server port 8080: No route to host"))

    def test_it_does_not_try_again_what_cannot_succeed(self) -> None:
        """A server that refuses, an unknown host name, and text that is no host name each end with the reason."""
        for error, words in [
            (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
            (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
            (UnicodeError("label empty or too long"), "this is no host name"),
        ]:
            self.assertEqual(self.attempts(error), (1, f"cannot connect to server port 8080: {words}"))

    def test_a_real_server_that_refuses(self) -> None:
        """A port that is bound but does not listen."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with self.assertRaisesRegex(NoAnswer, "Connection refused"):
                CommandConnection(*bound.getsockname())

    def test_a_real_server_that_answers(self) -> None:
        """Over a real connection, replies and the end are distinguished."""

        def serve(listening: socket.socket) -> None:
            connected, _ = listening.accept()
            with connected:
                connected.sendall(GREETING)
                connected.sendall(connected.recv(1024) + b"\n")

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=serve, args=[listening])
            thread.start()
            with CommandConnection(*listening.getsockname(), timeout=30) as connection:
                self.assertEqual(connection.receive().encode() + b"\n", GREETING)
                self.assertEqual(connection.ask("TIME"), "TIME")
                self.assertEqual(connection.receive(), "")
            thread.join()


class RunTests(ClientTestCase):
    """Commands from a script."""

    def test_the_words_of_a_server_do_not_reach_the_terminal_as_they_are(self) -> None:
        """Neither from a script nor in the dialogue; a reply of several lines is printed as such."""
        reply = b"\x1b]0;title\x07one\ntwo\r\n"
        shown = r"\x1b]0;title\x07one" + "\n" + r"two\r" + "\n"
        connection = self.connection(FakeSocket(GREETING, reply))
        self.assertEqual(self.printed(lambda: run(connection, ["TIME"])), (0, shown, ""))
        self.typed("TIME", EOFError)
        _, out, _ = self.printed(lambda: converse(self.connection(FakeSocket(reply, reply))))
        self.assertEqual(out.count(shown), 2)
        self.assertNotIn("\x1b", out)

    def test_the_bare_replies_are_printed(self) -> None:
        """The greeting is not."""
        connection = self.connection(FakeSocket(GREETING, TIME, b"Invalid command!\n"))
        self.assertEqual(
            self.printed(lambda: run(connection, ["TIME", "foo"])), (0, TIME.decode() + "Invalid command!\n", "")
        )

    def test_exit_ends_it_well(self) -> None:
        """What comes behind is not sent."""
        sock = FakeSocket(GREETING)
        self.assertEqual(self.printed(lambda: run(self.connection(sock), [" EXIT", "TIME"])), (0, "", ""))
        self.assertEqual(sock.sent, [b" EXIT"])

    def test_an_answered_exit_ends_it_where_the_server_closes_behind_it(self) -> None:
        """And only there: one that refuses EXIT goes on."""
        sock = FakeSocket(GREETING, b"Bye\n")
        self.assertEqual(self.printed(lambda: run(self.connection(sock), ["EXIT", "TIME"])), (0, "Bye\n", ""))
        self.assertEqual(sock.sent, [b"EXIT"])
        sock = FakeSocket(GREETING, b"no\n", TimeoutError("timed out"), TIME)
        self.assertEqual(
            self.printed(lambda: run(self.connection(sock), ["EXIT", "TIME"])), (0, f"no\n{TIME.decode()}", "")
        )
        self.assertEqual(sock.timeouts, [1.0, 2.5])

    def test_what_comes_behind_an_answered_exit_is_not_lost(self) -> None:
        """It is the reply to the next command."""
        sock = FakeSocket(GREETING, b"no\n", b"more\n")
        self.assertEqual(self.printed(lambda: run(self.connection(sock), ["EXIT", "TIME"])), (0, "no\nmore\n", ""))

    def test_a_server_that_closes_instead_of_answering_is_an_error(self) -> None:
        """A script sees that its command was not answered."""
        with self.assertRaisesRegex(NoAnswer, "^the server closed the connection$"):
            run(self.connection(FakeSocket(GREETING)), ["TIME"])


class ConverseTests(ClientTestCase):
    """The transcript's dialogue."""

    PROMPT = "MESSAGE!!! ----> Please enter a command (TIME or EXIT): "
    LAST = "MESSAGE!!! ----> Press Enter to exit from the console..."
    HELLO = "MESSAGE!!! ----> Server Message: " + GREETING.decode()

    def test_it_takes_the_transcripts_steps(self) -> None:
        """Greeting, commands with their replies, EXIT, Enter."""
        prompts = self.typed("TIME", "", "foo", "EXIT", "")
        sock = FakeSocket(GREETING, TIME, b"Invalid command!\n")
        status, out, err = self.printed(lambda: converse(self.connection(sock)))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out,
            f"{self.HELLO}MESSAGE!!! ----> Server Response: {TIME.decode()}"
            "MESSAGE!!! ----> Server Response: Invalid command!\n",
        )
        self.assertEqual(prompts, [self.PROMPT] * 4 + [self.LAST])
        self.assertEqual(sock.sent, [b"TIME", b"foo", b"EXIT"])

    def test_an_answered_exit_goes_to_the_last_prompt_where_the_server_closes_behind_it(self) -> None:
        """Where it does not, the dialogue goes on."""
        prompts = self.typed("EXIT", "")
        _, out, err = self.printed(lambda: converse(self.connection(FakeSocket(GREETING, b"Bye\n"))))
        self.assertEqual((out, err), (f"{self.HELLO}MESSAGE!!! ----> Server Response: Bye\n", ""))
        self.assertEqual(prompts, [self.PROMPT, self.LAST])
        prompts = self.typed("EXIT", "TIME", EOFError)
        sock = FakeSocket(GREETING, b"no\n", TimeoutError("timed out"), TIME)
        self.printed(lambda: converse(self.connection(sock)))
        self.assertEqual(prompts, [self.PROMPT] * 3)

    def test_end_of_file_and_ctrl_c_leave_quietly(self) -> None:
        """At either prompt."""
        for leaves in EOFError, KeyboardInterrupt:
            for lines in [leaves], ["EXIT", leaves]:
                self.typed(*lines)
                self.assertEqual(
                    self.printed(lambda: converse(self.connection(FakeSocket(GREETING)))), (0, self.HELLO + "\n", "")
                )

    def test_a_server_that_closes_is_told(self) -> None:
        """As after fifteen seconds without a command."""
        prompts = self.typed("TIME", "")
        self.assertEqual(
            self.printed(lambda: converse(self.connection(FakeSocket(GREETING)))),
            (0, self.HELLO, "labnet: the server closed the connection\n"),
        )
        self.assertEqual(prompts, [self.PROMPT, self.LAST])
