"""What a worker is told to be, and its part of the configuration."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import Config
from labnet.daemon.workers import orders as orders_module
from labnet.daemon.workers.orders import Orders, Settled, share, unprivileged
from labnet.interfaces import StartError
from labnet.net.opening.bound import bound_socket


def a_config(**tables: Any) -> Config:
    return reading.build({"resolver": {"main": {"listen": "udp:0"}}, **tables}, ".", ".")


def orders(number: int = 1, workers: int = 4, command: bool = True) -> Orders:
    return Orders(number, workers, 3, f"/run/control.sock.{number}", "00", command, 0.0, [])


class ShareTests(SynchronousTestCase):
    """What one worker has of it."""

    def test_limits_are_divided(self) -> None:
        """What counts over all workers is divided, and rounded up; no limit stays none."""
        limits = {
            "rate_limit": 100.0,
            "rate_burst": 2.0,
            "in_flight": 10,
            "in_flight_per_client": 3,
            "tcp_connections": 5,
            "tcp_per_address": 0,
        }
        own = share(a_config(resolver={"main": {"listen": "udp:0", **limits}}), orders()).resolver["main"]
        self.assertEqual((own.rate_limit, own.rate_burst, own.in_flight), (25.0, 2.0, 3))
        self.assertEqual((own.in_flight_per_client, own.tcp_connections, own.tcp_per_address), (1, 2, 0))

    def test_a_small_rate_is_still_one(self) -> None:
        """However small the rate, a client can have an answer; and no rate stays none."""
        for rate, expected in ((1.0, 1.0), (0.0, 0.0)):
            own = share(a_config(resolver={"main": {"listen": "udp:0", "rate_limit": rate}}), orders())
            main = own.resolver["main"]
            self.assertEqual(main.rate_limit * main.rate_burst, expected)

    def test_the_command_server_is_the_firsts(self) -> None:
        """The first worker alone has the command server, until EXIT has closed it."""
        whole = a_config(command={})
        self.assertIsNotNone(share(whole, orders(1)).command)
        self.assertIsNone(share(whole, orders(2)).command)
        self.assertIsNone(share(whole, orders(1, command=False)).command)

    def test_the_console_is_the_supervisors(self) -> None:
        """A worker has a control socket of its own, the query log, and a capture of its own; nothing else."""
        console = {"listen": "tcp:9153", "log": "log", "query_log": "queries"}
        own = share(a_config(console=console, capture={"file": "lab.pcapng"}, lab={"watch": True}), orders(3))
        self.assertEqual((own.console.listen, own.console.log), ((), None))
        self.assertEqual(own.console.control, "/run/control.sock.3")
        self.assertTrue(str(own.console.query_log).endswith("/queries"))
        self.assertTrue(str(own.capture.file).endswith("/lab.3.pcapng"))
        self.assertFalse(own.lab.watch)


class SettledTests(SynchronousTestCase):
    """Ports of the system's choice."""

    def test_one_number_for_all(self) -> None:
        """A 0 becomes a number that is free for UDP and TCP, the same again after a reload; others stay."""
        settled = Settled()
        self.addCleanup(settled.close)
        before = a_config(resolver={"main": {"listen": ["udp:0", "udp:0:interface=127.0.0.2", "udp:5300"]}})
        first, second, third = settled.config(before).resolver["main"].listen
        self.assertEqual((second.interface, third.port), ("127.0.0.2", 5300))
        self.assertTrue(first.port and second.port)
        again = settled.config(before).resolver["main"].listen
        self.assertEqual([listen.port for listen in again], [first.port, second.port, 5300])
        self.assertEqual([settled.has(listen) for listen in again], [True, True, False])

    def test_nobody_else_gets_the_number(self) -> None:
        """Until it is given back; a process of this user that shares it may have it."""
        settled = Settled()
        self.addCleanup(settled.close)
        (listen,) = settled.config(a_config(resolver={"main": {"listen": ["udp:0"]}})).resolver["main"].listen
        bound_socket(socket.SOCK_STREAM, listen.interface, listen.port, shared=True).close()
        with socket.socket() as other:
            self.assertRaises(OSError, other.bind, (listen.interface, listen.port))
            settled.close()
            other.bind((listen.interface, listen.port))

    def test_none_is_free(self) -> None:
        """Where there is none, it is a StartError."""

        def refused(kind: int, interface: str, port: int, shared: bool = False) -> socket.socket:
            raise OSError(98, "Address already in use")

        self.patch(orders_module, "bound_socket", refused)
        self.assertRaises(StartError, Settled().config, a_config())


class PrivilegeTests(SynchronousTestCase):
    """Ports of root's."""

    def test_a_low_port_is_refused(self) -> None:
        """A port that a worker could not open is a StartError that says what to do; any other is none."""
        self.patch(orders_module, "_first_unprivileged", lambda: 1024)
        unprivileged(a_config(resolver={"main": {"listen": "udp:1024"}}))
        with self.assertRaisesRegex(StartError, "CAP_NET_BIND_SERVICE"):
            unprivileged(a_config(resolver={"main": {"listen": "udp:53"}}))

    def test_what_the_system_says(self) -> None:
        """The first port for everybody is the system's to say."""
        self.assertIn(orders_module._first_unprivileged(), range(1025))
        self.patch(orders_module, "_FIRST_PORT", "/nowhere")
        self.assertEqual(orders_module._first_unprivileged(), 1024)
