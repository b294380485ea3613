"""What is doubtful in whom a configuration serves."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.daemon.running.reach import doubts

ONLY_HERE = "but `allow` lets only this machine in: name the networks of its clients there"


class DoubtsTests(SynchronousTestCase):
    def doubts(self, text: str) -> list[str]:
        return [*doubts(reading.build(tomllib.loads(text), "/", "/"))]

    def command(self, listen: str, more: str = "") -> list[str]:
        return self.doubts(f"[command]\nlisten = {listen}\n{more}")

    def resolver(self, listen: str, more: str = "") -> list[str]:
        return self.doubts(f"[resolver.main]\nlisten = {listen}\n{more}")

    def test_what_listens_for_others_and_serves_nobody_else_is_told(self) -> None:
        """With its first such address; a wildcard is one."""
        says = f"resolver.main listens on 192.0.2.2:53, {ONLY_HERE}"
        self.assertEqual(self.resolver('["udp:53", "udp:53:interface=192.0.2.2"]'), [says])
        self.assertEqual(self.command('"tcp:8080"'), [f"command listens on 0.0.0.0:8080, {ONLY_HERE}"])
        self.assertEqual(self.command(r'"tcp6:8080:interface=\\:\\:"'), [f"command listens on [::]:8080, {ONLY_HERE}"])
        both = 'allow = ["127.0.0.1", "::1"]'
        self.assertEqual(self.resolver('"udp:53:interface=0.0.0.0"', both)[0].partition(",")[2].strip(), ONLY_HERE)

    def test_who_is_let_in_is_no_doubt(self) -> None:
        """One network beyond this machine is enough."""
        self.assertEqual(self.resolver('"udp:53:interface=192.0.2.2"', 'allow = ["127.0.0.0/8", "192.0.2.0/24"]'), [])
        self.assertEqual(self.command('"tcp:8080"', 'allow = "0.0.0.0/0"\nclients = 0'), [])

    def test_what_listens_here_alone_is_no_doubt(self) -> None:
        """By any of its names; nor what systemd passes, or a UNIX socket, whose addresses are not here."""
        for listen in '"udp:53"', '"udp:53:interface=127.0.1.1"', r'"udp:53:interface=\\:\\:1"':
            self.assertEqual(self.resolver(listen), [])
        for listen in (
            '"tcp:1:interface=127.0.0.1"',
            '"tcp:1:interface=localhost"',
            '"unix:/s"',
            '"systemd:domain=INET:index=0"',
        ):
            self.assertEqual(self.command(listen), [])

    def test_networks_that_may_have_zones_and_are_not_served_are_told(self) -> None:
        """One of which a part is served is none, nor is a key."""
        listen = '"udp:53"'
        says = "resolver.main.transfer names 192.0.2.0/24, which is not served: name it in `allow` too"
        self.assertEqual(self.resolver(listen, 'transfer = ["192.0.2.0/24", "127.0.0.1", "::1"]'), [says])
        self.assertEqual(self.resolver(listen, 'transfer = "0.0.0.0/0"'), [])
        self.assertEqual(self.resolver(listen, 'transfer = "key:k"\n[key.k]\nsecret = "aGVsbG8="'), [])

    def test_one_client_at_a_time_among_many_machines_is_told(self) -> None:
        """One forgotten telnet keeps them all waiting."""
        (says,) = self.command('"tcp:8080:interface=192.0.2.2"', 'allow = "192.0.2.0/24"\nturn = 30')
        self.assertEqual(
            says,
            "command listens on 192.0.2.2:8080 and serves one client at a time, for up to 30 s while others wait: "
            "clients = 0 serves all at once",
        )
        self.assertEqual(self.command('"tcp:8080"', 'allow = "192.0.2.0/24"\nclients = 2'), [])
