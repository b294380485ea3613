"""Datagrams from ports of servers that answer anything never reach a socket."""

from __future__ import annotations

import errno
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.kernel.reflectors import REFLECTORS, ignore_reflectors


class ReflectorTests(SynchronousTestCase):
    """The filter in the kernel, on real sockets."""

    def bound(self, family: socket.AddressFamily, host: str) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind((host, 0))
        sock.settimeout(10)
        return sock

    def test_what_comes_from_one_of_the_ports_is_dropped(self) -> None:
        """On both families, from each of the ports, and nothing else is."""
        for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
            server, *clients = (self.bound(family, host) for _ in range(6))
            first, second, *others = (client.getsockname()[1] for client in clients)
            self.assertTrue(ignore_reflectors(server, (first, second)))
            for client in clients:
                client.sendto(b"?", server.getsockname())
            self.assertEqual([server.recvfrom(10)[1][1] for _ in others], others)
            server.setblocking(False)
            self.assertRaises(BlockingIOError, server.recv, 10)

    def test_every_port_of_a_server_that_answers_anything_has_its_place(self) -> None:
        """The program jumps from each of them to the same end; its last two instructions take and drop."""
        sock = mock.Mock(spec=socket.socket)
        with mock.patch("labnet.net.kernel.reflectors.attach") as attach:
            self.assertTrue(ignore_reflectors(sock))
        program = attach.call_args.args[2]
        steps = [program[at : at + 8] for at in range(0, len(program), 8)]
        self.assertEqual(len(steps), len(REFLECTORS) + 3)
        for place, step in enumerate(steps[1:-2], start=1):
            self.assertEqual(place + 1 + step[2], len(steps) - 1)

    def test_a_system_that_refuses_goes_on_without(self) -> None:
        """The protocol looks at the port as well."""
        refusing = mock.Mock(spec=socket.socket)
        refusing.setsockopt.side_effect = OSError(errno.ENOPROTOOPT, "Protocol not available")
        self.assertFalse(ignore_reflectors(refusing))
