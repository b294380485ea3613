"""The user at the other end of a connection, by real sockets of this process and by tables that are played."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.kernel.peer_user import user_of

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = (
    "   0: {client} {server} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0 100 0 0 10 0\n"
)
CLIENT, SERVER = "0100007F:9B5A", "0100007F:1F90"
MAPPED = "0000000000000000FFFF0000"


def transport(client: Any, server: Any, sock: socket.socket | None = None) -> Any:
    """A connection from ``client`` to ``server``."""
    return SimpleNamespace(getPeer=lambda: client, getHost=lambda: server, socket=sock)


class RealTests(SynchronousTestCase):
    """What the system says of connections of this process to itself."""

    def pair(self, family: socket.AddressFamily, address: str) -> tuple[socket.socket, socket.socket]:
        with socket.socket(family, socket.SOCK_STREAM) as listening:
            listening.bind((address, 0))
            listening.listen()
            client = socket.socket(family, socket.SOCK_STREAM)
            self.addCleanup(client.close)
            client.connect(listening.getsockname())
            accepted, _ = listening.accept()
        self.addCleanup(accepted.close)
        return client, accepted

    def test_a_tcp_client_is_known_by_its_socket_while_that_is_open(self) -> None:
        """On both families; one that has closed it is nobody, and not user 0."""
        for family, host, kind in (
            (socket.AF_INET, "127.0.0.1", IPv4Address),
            (socket.AF_INET6, "::1", IPv6Address),
        ):
            client, accepted = self.pair(family, host)
            ends = [kind("TCP", *end[:2]) for end in (accepted.getpeername(), accepted.getsockname())]
            self.assertEqual(user_of(transport(*ends)), os.getuid())
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(user_of(transport(*ends)), os.getuid())
            client.close()
            self.assertIsNone(user_of(transport(*ends)))

    def test_a_client_of_a_unix_socket_is_known_by_its_credentials(self) -> None:
        """Where the transport has no socket it is unknown."""
        ours, theirs = socket.socketpair()
        for sock in ours, theirs:
            self.addCleanup(sock.close)
        self.assertEqual(user_of(transport(UNIXAddress(None), UNIXAddress("/x"), ours)), os.getuid())
        self.assertIsNone(user_of(transport(UNIXAddress(None), UNIXAddress("/x"))))


class TableTests(SynchronousTestCase):
    """How the tables are read."""

    def user(self, *rows: str, host: str = "127.0.0.1", ipv6: bool = False, **fields: str) -> int | None:
        given = {"client": CLIENT, "server": SERVER, "state": "01", "uid": "1000", "inode": "77"} | fields
        with tempfile.TemporaryDirectory() as folder:
            tables = str(Path(folder, "tcp")), str(Path(folder, "tcp6"))
            Path(tables[ipv6]).write_text(HEAD + "".join(rows) + ROW.format(**given))
            kind = IPv6Address if ":" in host else IPv4Address
            return user_of(transport(kind("TCP", host, 39770), kind("TCP", host, 8080)), tables)

    def test_the_row_is_that_of_the_clients_end(self) -> None:
        """The server's own end, and connections to other ports, are passed over."""
        others = [
            ROW.format(client=one, server=other, state="01", uid="5", inode="9")
            for one, other in ((SERVER, CLIENT), (CLIENT, "0100007F:1F91"), ("0100007F:9B5B", SERVER))
        ]
        self.assertEqual(self.user(*others), 1000)
        self.assertIsNone(self.user(client="0100007F:9B5B"))

    def test_an_ipv4_client_may_have_a_socket_of_ipv6(self) -> None:
        """Its addresses are mapped ones there, and on a port of both families here too."""
        for host in "127.0.0.1", "::ffff:127.0.0.1":
            self.assertEqual(
                self.user(host=host, ipv6=True, client=f"{MAPPED}{CLIENT}", server=f"{MAPPED}{SERVER}"), 1000
            )
            self.assertEqual(self.user(host=host), 1000)

    def test_a_socket_without_a_process_is_nobodys(self) -> None:
        """The system writes user 0 for it."""
        self.assertIsNone(self.user(uid="0", inode="0", state="06"))
        self.assertEqual(self.user(uid="0"), 0)

    def test_a_system_without_tables_knows_nobody(self) -> None:
        """It is not Linux, or hides them."""
        ends = IPv4Address("TCP", "127.0.0.1", 1), IPv4Address("TCP", "127.0.0.1", 2)
        self.assertIsNone(user_of(transport(*ends), ("/nowhere/tcp", "/nowhere/tcp6")))
