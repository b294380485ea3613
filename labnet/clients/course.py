"""The resolver's client: ``client.py SERVER_IP SERVER_PORT`` of the assignment, interactive or for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from labnet.clients.errors import NoAnswer, NotFound
from labnet.clients.server import AskedServer, Tap, said
from labnet.wire.course import decode_reply, encode_question
from labnet.wire.course_line import TextError
from labnet.wire.quoting import quoted
from labnet.wire.types import CourseReply, fold, is_name

_PYTHON: Final = (
    (("['", '("', "('"), "it is how Python prints a list or tuple; json.dumps makes JSON of one"),
    (("b'", 'b"'), "it is how Python prints bytes; decode() makes text of them"),
)
"""How replies begin that show what their server does wrong, and what that is."""


@dataclass(frozen=True)
class CourseClient:
    """Asks the server at ``host`` and ``port``, ``tries`` times with ``timeout`` seconds each.

    ``tap`` takes each socket and returns the one to use, which may look at what passes.
    """

    host: str
    port: int
    timeout: float = 3.0
    tries: int = 3
    tap: Tap = field(default=lambda sock: sock)

    def ask(self, name: str) -> str:
        """The address of ``name``. Raises :class:`NotFound`, :class:`NoAnswer`."""
        if not is_name(name):
            raise NotFound("")
        server = AskedServer(self.host, self.port, self.timeout, self.tries, self.tap)

        def take(datagram: bytes) -> CourseReply | None:
            reply = _read(datagram, server)
            return reply if reply.name is None or fold(reply.name) == fold(name) else None

        return server.ask(encode_question(name), take).address


def _read(datagram: bytes, server: AskedServer) -> CourseReply:
    text = datagram.decode(errors="replace").lstrip()
    why = next((hint for starts, hint in _PYTHON if text.startswith(starts)), "")
    try:
        reply = None if why else decode_reply(datagram)
    except TextError as error:
        why = str(error)
    if why:
        raise NoAnswer(f"{server} sent a reply that cannot be read, {said(datagram)}: {quoted(why)}")
    if reply is None:
        raise NotFound("")
    return reply


class NameClient(Protocol):
    """A client of either protocol."""

    def ask(self, name: str) -> str:
        """The text to print for ``name``. Raises :class:`NotFound`, :class:`NoAnswer`."""


def run(client: NameClient, names: Sequence[str]) -> int:
    """Print the address of each name; the exit status: 0 all found, 1 one is unknown, 2 no answer."""
    status = 0
    for name in names:
        try:
            print(client.ask(name), flush=True)
        except NoAnswer as error:
            print(f"labnet: {name}: {error}", file=sys.stderr)
            status = 2
        except NotFound as error:
            why = f": {error}" if str(error) else ""
            print(f"labnet: {name}: not found{why}", file=sys.stderr)
            status = max(status, 1)
    return status


def converse(client: NameClient, read: Callable[[], str] | None = None) -> int:
    """The assignment's loop: ask for a name, print its address or ``not found``, until end of file or Ctrl-C.

    ``read`` gives a line, or raises EOFError; it is ``input()`` where none is given.
    """
    print("trying to connect to server...")
    while True:
        print("Type your web address and get its ip address:", flush=True)
        try:
            name = (read or input)().strip()
            if name:
                print(client.ask(name), flush=True)
        except NotFound as error:
            print("not found", flush=True)
            if str(error):
                print(f"labnet: {error}", file=sys.stderr)
        except NoAnswer as error:
            print(f"labnet: {error}", file=sys.stderr)
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
