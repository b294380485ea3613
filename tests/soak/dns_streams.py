"""Clients of DNS over TCP, most of them bad: each a connection, what is sent on it, and how it is to end."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import Counter
from random import Random

from tests.interop.daemon import DEADLINE
from tests.interop.plain import Address, reset
from tests.soak.dns_packets import Owed, Packets, is_owed_a_reply

KINDS = {"whole": 40, "half-closed": 20, "poisoned": 15, "cut": 10, "junk": 10, "deaf": 5}
"""How often each kind of client comes.

``whole`` asks, reads every reply and leaves; ``half-closed`` says first that it asks no more; ``poisoned`` ends with a
message that a server does not answer but hangs up on; ``cut`` leaves in the middle of a message; ``junk`` sends bytes
without a form; ``deaf`` asks for much, reads nothing and is gone.
"""

_OVER_AND_OVER = 60
"""Times that a deaf client says the same, to fill all buffers between it and the server."""


class Client:
    """One connection to ``server``, its bytes made by ``packets``; at most ``most`` messages."""

    def __init__(self, server: Address, random: Random, packets: Packets, most: int) -> None:
        self.kind: str = random.choices(list(KINDS), list(KINDS.values()))[0]
        self.owed = Owed()
        self.messages = 0
        self.replies = 0
        self.done = False
        self._random = random
        self._received = bytearray()
        self._unsent = b""
        self._write(packets, random.randint(1, most))
        self.sock = socket.create_connection(server, DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)

    def _write(self, packets: Packets, count: int) -> None:
        if self.kind == "junk":
            self.messages, self._unsent = 1, self._random.randbytes(self._random.randrange(3000))
            return
        messages = [packets.owed_message() for _ in range(count)]
        self.messages = count
        if self.kind == "deaf":
            messages *= _OVER_AND_OVER
        messages = [self.owed.numbered(message) for message in messages]
        if self.kind == "poisoned":
            while is_owed_a_reply(poison := packets.message()):
                pass
            messages.append(poison)
        stream = b"".join([struct.pack("!H", len(message)) + message for message in messages])
        self._unsent = stream[: self._random.randrange(1, len(stream))] if self.kind == "cut" else stream

    @property
    def wants_to_send(self) -> bool:
        """Whether it has more to say."""
        return bool(self._unsent)

    def send(self) -> None:
        """Send a piece, however long it is."""
        piece = self._unsent[: self._random.choice((1, 2, 3, 17, 1000, 65536, 65536))]
        try:
            self._unsent = self._unsent[self.sock.send(piece) :]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # It was hung up on, as junk and poison deserve, before it had said everything.
            self._unsent = b""
            self._ended()
            return
        if not self._unsent:
            self._all_sent()

    def _all_sent(self) -> None:
        if self.kind in ("half-closed", "junk"):
            self.sock.shutdown(socket.SHUT_WR)
        elif self.kind == "cut":
            self._leave()

    def read(self) -> None:
        """Read what came; a deaf client does not, and is gone once it can say no more."""
        if self.kind == "deaf":
            return
        try:
            piece = self.sock.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            assert self.kind != "half-closed", f"it was reset with {self.owed} unanswered"
            piece = b""
        self._received += piece
        self._take_replies()
        if not piece:
            self._ended()
        elif self.kind == "whole" and not self.wants_to_send and not self.owed:
            self._leave()

    def _take_replies(self) -> None:
        at = 0
        while len(self._received) >= (end := at + 2 + int.from_bytes(self._received[at : at + 2], "big")):
            if len(self._received) < at + 2:
                break
            if self.kind != "junk":
                self.owed.answered(bytes(self._received[at + 2 : end]))
            self.replies += 1
            at = end
        del self._received[:at]

    def _ended(self) -> None:
        """The server hung up."""
        assert self.kind in ("poisoned", "junk", "half-closed", "cut"), f"{self.kind} was hung up on"
        if self.kind == "half-closed":
            assert not self.owed, f"hung up on with {self.owed} unanswered and {len(self._received)} bytes of a reply"
        self.sock.close()
        self.done = True

    def _leave(self) -> None:
        if self._random.random() < 0.5:
            reset(self.sock)
        else:
            self.sock.close()
        self.done = True

    def give_up(self) -> None:
        """Be gone."""
        reset(self.sock)
        self.done = True


class Crowd:
    """``at_once`` clients at a time, a new one for each that is done."""

    def __init__(self, server: Address, random: Random, packets: Packets, at_once: int, most: int) -> None:
        self.kinds: Counter[str] = Counter()
        self.messages = 0
        self.replies = 0
        self._at_once = at_once
        self._new = lambda: Client(server, random, packets, most)
        self._clients: dict[int, Client] = {}
        self._poll = select.epoll()

    def run(self, count: int) -> None:
        """Go on until ``count`` more messages were sent and every client is done."""
        until = self.messages + count
        while self._clients or self.messages < until:
            while len(self._clients) < self._at_once and self.messages < until:
                self._come(self._new())
            stopped = time.monotonic() + DEADLINE
            while not (ready := self._poll.poll(1.0)):
                self._give_up_the_deaf()
                assert time.monotonic() < stopped, [client.kind for client in self._clients.values()]
                if not self._clients:
                    break
            for fileno, _ in ready:
                self._serve(self._clients[fileno])

    def _come(self, client: Client) -> None:
        self._clients[client.sock.fileno()] = client
        self._poll.register(client.sock, select.EPOLLIN | select.EPOLLOUT)
        self.kinds[client.kind] += 1
        self.messages += client.messages

    def _serve(self, client: Client) -> None:
        fileno = client.sock.fileno()
        if client.wants_to_send:
            client.send()
        if not client.done:
            client.read()
        if client.done:
            self._gone(fileno)
        elif client.kind == "deaf":
            self._poll.modify(fileno, select.EPOLLOUT if client.wants_to_send else 0)
        else:
            self._poll.modify(fileno, select.EPOLLIN | (select.EPOLLOUT if client.wants_to_send else 0))

    def _give_up_the_deaf(self) -> None:
        """Nothing moved for a second: the buffers to and from the deaf are full."""
        for fileno, client in list(self._clients.items()):
            if client.kind == "deaf":
                client.give_up()
                self._gone(fileno)

    def _gone(self, fileno: int) -> None:
        self.replies += self._clients.pop(fileno).replies

    def close(self) -> None:
        self._poll.close()
