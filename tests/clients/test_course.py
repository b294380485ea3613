"""Tests for :mod:`labnet.clients.course`."""

from __future__ import annotations

import builtins
import errno
import socket
from collections.abc import Iterator
from types import SimpleNamespace

from labnet.clients.course import CourseClient, converse, run
from labnet.clients.errors import NoAnswer, NotFound
from tests.clients.network import ClientCase

REPLY = b'["www.google.co.il", "21.09.1992.8", "60", "1", 1605280488.749312]'
NAME = "www.google.co.il"


class AskTests(ClientCase):
    """One name."""

    def fails(self, client: CourseClient, says: str, name: str = NAME) -> None:
        with self.assertRaises(NoAnswer) as caught:
            client.ask(name)
        self.assertEqual(str(caught.exception), says)

    def test_the_address(self) -> None:
        """The bare name is sent to the server, and the address of its reply is the answer."""
        network = self.network(REPLY)
        self.assertEqual(CourseClient("192.0.2.1", 1199).ask(NAME), "21.09.1992.8")
        self.assertEqual(network.looked_up, ("192.0.2.1", 1199, socket.SOCK_DGRAM))
        self.assertEqual(network.sent, [("127.0.0.1", b"www.google.co.il")])

    def test_any_dialect(self) -> None:
        """Lines and bare addresses are understood too, and names compare without case and final dot."""
        for reply in (b"www.google.co.il,1.2.3.4,60\n", b"1.2.3.4", b"WWW.google.co.il.,1.2.3.4"):
            self.network(reply)
            self.assertEqual(CourseClient("127.0.0.1", 1199).ask(NAME), "1.2.3.4")

    def not_found(self, reply: bytes, says: str) -> None:
        network = self.network(reply, REPLY)
        with self.assertRaises(NotFound) as caught:
            CourseClient("127.0.0.1", 1199).ask(NAME)
        self.assertEqual((str(caught.exception), len(network.sent)), (says, 1))

    def test_unknown(self) -> None:
        """An empty list, an empty datagram and the words that servers of the courses have for it mean not found."""
        for reply in (b"[]", b"", b"not found", b"www.google.co.il,not found,0"):
            self.not_found(reply, "")

    def test_a_reply_that_cannot_be_read_is_quoted_with_what_is_wrong_with_it(self) -> None:
        """It is not taken for "not found"; nothing in it is obeyed by a terminal, and a long one is cut."""
        no_ttl = r"'\x1b[m' is no TTL: a whole number of seconds, 0 to 2147483647"
        python_list = "it is how Python prints a list or tuple; json.dumps makes JSON of one"
        for reply, says in (
            (b"hello world", "'hello world': the reply has 1 field(s), not 2 to 5"),
            (b"\xff\x1b[2J", r"'\xff\x1b[2J': the reply is not UTF-8"),
            (b"www.a,1.2.3.4,\x1b[m", rf"'www.a,1.2.3.4,\x1b[m': {no_ttl}"),
            (b"[" * 300, f"'{'[' * 200}' and 100 more bytes: the reply starts as a JSON list and is none"),
            (
                b"['a', '1.2.3.4']",
                f"\"['a', '1.2.3.4']\": {python_list}",
            ),
            (
                b"('a', '1.2.3.4')",
                f"\"('a', '1.2.3.4')\": {python_list}",
            ),
            (b"b'a,1.2.3.4,60'", "\"b'a,1.2.3.4,60'\": it is how Python prints bytes; decode() makes text of them"),
        ):
            network = self.network(reply, REPLY)
            start = "127.0.0.1 port 1199 sent a reply that cannot be read"
            self.fails(CourseClient("127.0.0.1", 1199), f"{start}, {says}")
            self.assertEqual(len(network.sent), 1)

    def test_an_address_with_its_ttl_or_name_is_an_answer(self) -> None:
        """Some servers leave out the name, others the TTL."""
        for reply in (b"1.2.3.4,60", b"www.google.co.il,1.2.3.4"):
            self.network(reply)
            self.assertEqual(CourseClient("127.0.0.1", 1199).ask(NAME), "1.2.3.4")

    def test_what_is_no_name_is_not_asked(self) -> None:
        """What cannot be a name is not found, and nothing is sent."""
        network = self.network(REPLY)
        for name in ("", "www a", "a,b", "a" * 256, "www\udcff"):
            with self.assertRaises(NotFound):
                CourseClient("127.0.0.1", 1199).ask(name)
        self.assertEqual((network.sent, network.looked_up), ([], ()))

    def test_it_asks_again(self) -> None:
        """Without a reply it asks again after the time-out; a reply to a later try counts."""
        network = self.network(4.5, REPLY)
        self.assertEqual(CourseClient("127.0.0.1", 1199, timeout=2.0, tries=3).ask(NAME), "21.09.1992.8")
        self.assertEqual(len(network.sent), 3)
        self.assertEqual(network.now, 104.5)

    def test_it_gives_up(self) -> None:
        """After all tries it says where it asked, how often and how long."""
        network = self.network()
        self.fails(
            CourseClient("127.0.0.1", 1199, timeout=1.5, tries=2),
            "no answer from 127.0.0.1 port 1199 in 2 tries of 1.5 s",
        )
        self.assertEqual((len(network.sent), network.now), (2, 103.0))

    def test_another_names_reply_is_ignored(self) -> None:
        """A reply for another name, perhaps a late one, is not the answer; the right one behind it is."""
        network = self.network(b"www.b,6.6.6.6,60", 0.5, REPLY)
        self.assertEqual(CourseClient("127.0.0.1", 1199).ask(NAME), "21.09.1992.8")
        self.assertEqual(len(network.sent), 1)

    def test_other_names_replies_do_not_keep_it_waiting(self) -> None:
        """A try ends at its time-out however many replies for other names come in."""
        network = self.network(*[event for _ in range(20) for event in (b"www.b,6.6.6.6,60", 0.75)])
        self.fails(
            CourseClient("127.0.0.1", 1199, timeout=2.0, tries=2),
            "no answer from 127.0.0.1 port 1199 in 2 tries of 2 s; it replied to another question: 'www.b,6.6.6.6,60'",
        )
        self.assertEqual((len(network.sent), network.now), (2, 104.0))

    def test_a_reply_at_the_last_moment(self) -> None:
        """Where a reply for another name uses up the time, the next try follows."""
        network = self.network(1.0, b"www.b,6.6.6.6,60", REPLY)
        self.assertEqual(CourseClient("127.0.0.1", 1199, timeout=1.0, tries=2).ask(NAME), "21.09.1992.8")
        self.assertEqual(len(network.sent), 2)

    def test_nobody_listens(self) -> None:
        """A refusal is said at once, without more tries."""
        network = self.network(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), REPLY)
        self.fails(CourseClient("127.0.0.1", 1199), "no answer from 127.0.0.1 port 1199: Connection refused")
        self.assertEqual(len(network.sent), 1)

    def test_the_next_address_is_asked(self) -> None:
        """Of a host with several addresses the next one is asked where no server listens on the first."""
        network = self.network(REPLY, addresses=("127.0.0.2", "127.0.0.1"))
        network.refusing["127.0.0.2"] = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        self.assertEqual(CourseClient("localhost", 1199).ask(NAME), "21.09.1992.8")
        self.assertEqual(network.sent, [("127.0.0.2", NAME.encode()), ("127.0.0.1", NAME.encode())])

    def test_all_addresses_fail(self) -> None:
        """Where all addresses fail the last reason is said; one that is silent is not passed over."""
        network = self.network(addresses=("127.0.0.2", "127.0.0.3"))
        network.refusing["127.0.0.2"] = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        network.refusing["127.0.0.3"] = OSError(errno.ENETUNREACH, "Network is unreachable")
        self.fails(CourseClient("a.b", 1199), "no answer from a.b port 1199: Network is unreachable")
        network = self.network(addresses=("127.0.0.2", "127.0.0.3"))
        self.fails(CourseClient("a.b", 1199, tries=1), "no answer from a.b port 1199 in 1 tries of 3 s")
        self.assertEqual(network.sent, [("127.0.0.2", NAME.encode())])

    def test_a_host_that_does_not_exist(self) -> None:
        """A host that cannot be looked up, or is no host name at all, is one clear sentence."""
        network = self.network()
        network.look_up_error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.fails(CourseClient("nowhere", 1199), "no answer from nowhere port 1199: Name or service not known")
        network.look_up_error = UnicodeError("label empty or too long")
        self.fails(CourseClient("a..b", 1199), "no answer from a..b port 1199: this is no host name")


class RunTests(ClientCase):
    """Names on the command line."""

    def test_all_found(self) -> None:
        """The bare addresses are printed, one a line; the exit status is 0."""
        self.network(REPLY, b"www.b,1.2.3.4,60")
        result = self.printed(lambda: run(CourseClient("127.0.0.1", 1199), [NAME, "www.b"]))
        self.assertEqual(result, (0, "21.09.1992.8\n1.2.3.4\n", ""))

    def test_not_found(self) -> None:
        """A name that is not found is said on stderr; the others are printed; the exit status is 1."""
        self.network(b"[]", REPLY)
        result = self.printed(lambda: run(CourseClient("127.0.0.1", 1199), ["www.b", NAME]))
        self.assertEqual(result, (1, "21.09.1992.8\n", "labnet: www.b: not found\n"))

    def test_a_reply_in_no_known_form(self) -> None:
        """It is quoted on stderr, and the exit status is that of no answer."""
        self.network(b"hello world")
        status, out, err = self.printed(lambda: run(CourseClient("127.0.0.1", 1199), [NAME]))
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(
            err.startswith(f"labnet: {NAME}: 127.0.0.1 port 1199 sent a reply that cannot be read, 'he"), err
        )

    def test_no_answer(self) -> None:
        """A server that does not answer is said on stderr; the exit status is 2, also where a name is not found."""
        for events, names in (((b"[]",), ("www.c", "www.b")), ((1.5, b"[]"), ("www.b", "www.c"))):
            self.network(*events)
            status, out, err = self.printed(lambda names=names: run(CourseClient("127.0.0.1", 1199, 1.0, 1), names))
            self.assertEqual((status, out), (2, ""))
            self.assertIn("labnet: www.b: no answer from 127.0.0.1 port 1199 in 1 tries of 1 s\n", err)
            self.assertIn("labnet: www.c: not found\n", err)

    def test_no_names(self) -> None:
        """Nothing to ask for is no failure."""
        self.assertEqual(self.printed(lambda: run(CourseClient("127.0.0.1", 1199), [])), (0, "", ""))


class ConverseTests(ClientCase):
    """The assignment's dialogue."""

    PROMPT = "Type your web address and get its ip address:\n"

    def converse(self, *typed: str | type[BaseException]) -> tuple[int, str, str]:
        """The dialogue with what is typed, and at its end Ctrl-D."""
        lines: Iterator[str | type[BaseException]] = iter([*typed, EOFError])

        def fake_input() -> str:
            line = next(lines)
            if isinstance(line, str):
                return line
            raise line

        self.patch(builtins, "input", fake_input)
        return self.printed(lambda: converse(CourseClient("127.0.0.1", 1199, 1.0, 1)))

    def test_the_transcript(self) -> None:
        """It greets, prompts, prints the address alone or not found, and prompts again."""
        self.network(REPLY, b"[]")
        status, out, err = self.converse(NAME, "www.b")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out,
            f"trying to connect to server...\n{self.PROMPT}21.09.1992.8\n{self.PROMPT}not found\n{self.PROMPT}\n",
        )

    def test_white_space(self) -> None:
        """White space around a name does not count, and an empty line prompts again."""
        network = self.network(REPLY)
        _, out, _ = self.converse("", "   ", f" {NAME}\t")
        self.assertEqual(network.sent, [("127.0.0.1", NAME.encode())])
        self.assertEqual(out, f"trying to connect to server...\n{self.PROMPT * 3}21.09.1992.8\n{self.PROMPT}\n")

    def test_what_is_no_name(self) -> None:
        """What is no name is not found."""
        network = self.network()
        _, out, _ = self.converse("www a", "\udcff")
        self.assertEqual(out.count("not found\n"), 2)
        self.assertEqual(network.sent, [])

    def test_a_reply_in_no_known_form(self) -> None:
        """Stderr says what came, and the dialogue goes on."""
        self.network(b"hello world", REPLY)
        _, out, err = self.converse(NAME, NAME)
        self.assertTrue(err.startswith("labnet: 127.0.0.1 port 1199 sent a reply that cannot be read, 'hello wor"), err)
        self.assertIn("21.09.1992.8\n", out)

    def test_lines_from_elsewhere(self) -> None:
        """A dialogue may be given what reads its lines."""
        self.network(REPLY)
        lines = iter([NAME])

        def read() -> str:
            for line in lines:
                return line
            raise EOFError

        _, out, _ = self.printed(lambda: converse(CourseClient("127.0.0.1", 1199), read))
        self.assertIn("21.09.1992.8\n", out)

    def test_no_answer(self) -> None:
        """A server that does not answer is said on stderr, and the dialogue goes on."""
        self.network(1.5, REPLY)
        status, out, err = self.converse(NAME, NAME)
        self.assertEqual((status, err), (0, "labnet: no answer from 127.0.0.1 port 1199 in 1 tries of 1 s\n"))
        self.assertIn("21.09.1992.8\n", out)

    def test_ctrl_d_and_ctrl_c_leave_quietly(self) -> None:
        """End of file and Ctrl-C end it with status 0 on a new line, Ctrl-C also while an answer is awaited."""
        self.assertEqual(self.converse(), (0, f"trying to connect to server...\n{self.PROMPT}\n", ""))
        self.assertEqual(self.converse(KeyboardInterrupt), (0, f"trying to connect to server...\n{self.PROMPT}\n", ""))
        network = self.network()

        def interrupted(*_: object) -> SimpleNamespace:
            raise KeyboardInterrupt

        self.patch(network, "socket", interrupted)
        self.assertEqual(self.converse(NAME), (0, f"trying to connect to server...\n{self.PROMPT}\n", ""))
