"""Batches on a socket that is bound to all addresses: each reply leaves from the address that was asked."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import Incoming, vector_of
from labnet.net.batches.wildcard_batch import WildcardIncoming, memory_of
from labnet.net.kernel.packet_info import AskingAddress
from labnet.net.kernel.sockaddr import address_in

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.9.9.9"]


class WildcardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.socket = self.bound("0.0.0.0")
        self.incoming = memory_of(self.socket)
        self.clients = [self.client(host) for host in HOSTS]

    def bound(self, host: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind((host, 0))
        return sock

    def client(self, host: str) -> socket.socket:
        """A socket that takes replies from ``host`` alone."""
        client = self.bound("::" if ":" in host else "0.0.0.0")
        client.connect((host, self.socket.getsockname()[1]))
        client.setblocking(False)
        return client

    def ask(self) -> None:
        """A datagram of each client, in one batch."""
        for number, client in enumerate(self.clients):
            client.send(b"%d%d?" % (number, number))
        self.assertEqual(self.incoming.receive(), len(self.clients))

    def replies(self) -> list[bytes | None]:
        """What each client has got; None where that is nothing."""
        got: list[bytes | None] = []
        for client in self.clients:
            try:
                got.append(client.recv(100))
            except BlockingIOError:
                got.append(None)
        return got

    def test_only_a_socket_on_all_addresses_needs_it(self) -> None:
        for host, kind in (("0.0.0.0", WildcardIncoming), ("::", WildcardIncoming)):
            self.assertIs(type(memory_of(self.bound(host))), kind)
        for host in ("127.0.0.1", "::1"):
            self.assertIs(type(memory_of(self.bound(host))), Incoming)

    def test_replies_leave_from_where_each_client_asked(self) -> None:
        """To all of a batch, to the first, to some in any order, and to all again; batch after batch."""
        out = self.incoming.outgoing(echoed=2)
        replies = [b"reply%d" % number for number in range(len(HOSTS))]
        vectors = [vector_of(reply, self) for reply in replies]
        expected = [b"%d%d" % (number, number) + reply for number, reply in enumerate(replies)]
        for _ in range(3):
            self.ask()
            out.reply(b"".join(vectors), len(HOSTS))
            self.assertEqual(self.replies(), expected)
            out.reply_first(vectors[0])
            self.assertEqual(self.replies(), [expected[0], None, None, None])
            out.reply_to([replies[slot] for slot in (3, 1)], (3, 1))
            self.assertEqual(self.replies(), [None, expected[1], None, expected[3]])
            out.reply_first(vectors[0])
            self.assertEqual(self.replies(), [expected[0], None, None, None])
            out.reply_to(replies, None)
            self.assertEqual(self.replies(), expected)
            self.clients.reverse()
            replies.reverse()
            vectors = [vector_of(reply, self) for reply in replies]
            expected = [b"%d%d" % (number, number) + reply for number, reply in enumerate(replies)]
        self.assertEqual(out.unsent, 0)

    def test_late_replies_leave_from_where_each_client_asked(self) -> None:
        """The name of each has it."""
        self.ask()
        names = [self.incoming.name(slot) for slot in range(len(HOSTS))]
        outbox = self.incoming.outbox()
        outbox.send(self.socket.fileno(), [b"3", b"0", b"1"], [names[slot] for slot in (3, 0, 1)])
        self.assertEqual(self.replies(), [b"0", b"1", None, b"3"])
        self.assertEqual(outbox.unsent, 0)

    def test_an_address_has_the_control_data_of_its_reply(self) -> None:
        """Also one that is read of a name later."""
        self.ask()
        for slot, client in enumerate(self.clients):
            for address in (self.incoming.address(slot), address_in(self.incoming.name(slot))):
                assert isinstance(address, AskingAddress)
                self.assertEqual(address, ("127.0.0.1", client.getsockname()[1]) if slot == 0 else address)
                self.socket.sendmsg([b"%d" % slot], address.ancillary, 0, address)
        self.assertEqual(self.replies(), [b"0", b"1", b"2", b"3"])

    def test_ipv6_is_served_as_well(self) -> None:
        self.socket = self.bound("::")
        self.incoming = memory_of(self.socket)
        self.clients = [self.client("::1") for _ in range(3)]
        self.ask()
        out = self.incoming.outgoing(echoed=0)
        out.reply_to([b"2", b"0"], (2, 0))
        self.assertEqual(self.replies(), [b"0", None, b"2"])
        names = [self.incoming.name(slot) for slot in range(3)]
        self.incoming.outbox().send(self.socket.fileno(), [b"a", b"b", b"c"], names)
        self.assertEqual(self.replies(), [b"a", b"b", b"c"])
        self.assertEqual(self.incoming.address(1), self.clients[1].getsockname()[:2])
        self.assertEqual(out.unsent, 0)
