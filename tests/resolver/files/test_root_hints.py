"""Root hints, those of the Internet and those of the lab's own tree; and the tree itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.root_hints import Hints, builtin_hints, parse_hints
from labnet.wire.names import key_of, text_of
from labnet.wire.types import Rcode
from tests.resolver.recursive.fakes import Servers, WalkTestCase, addresses

TREE = Path(__file__).parents[3] / "etc" / "tree"
ZONES = {".": "root", "test.": "test", "example.": "example", "lab.test.": "lab.test", "shop.example.": "shop.example"}
GOOD = b". NS a.example.\na.example. A 192.0.2.1\n"


def servers(hints: Hints) -> dict[str, tuple[str, ...]]:
    return {text_of(server.name): server.addresses for server in hints.servers}


class HintsTests(SynchronousTestCase):
    """Reading a hints file."""

    def problems(self, content: bytes) -> list[tuple[int, bool, str]]:
        return [(problem.line, problem.warning, problem.says) for problem in parse_hints(content).problems]

    def assertProblem(self, content: bytes, line: int, warning: bool, words: str) -> None:
        problems = self.problems(content)
        self.assertEqual([problem[:2] for problem in problems], [(line, warning)], problems)
        self.assertIn(words, problems[0][2])

    def test_names_and_addresses_are_read(self) -> None:
        """Case, TTLs, classes, comments, blank lines, CRLF and repeated owners are all as in named.root."""
        content = (
            b"; comment\r\n\r\n$TTL 3600\r\n.  3600000  IN  NS  A.Example. ; this one\r\n"
            b"   NS b.example.\r\na.EXAMPLE. 5 A 192.0.2.1\r\n\tAAAA 2001:DB8::1\r\nb.example. IN 5 A 192.0.2.2"
        )
        self.assertEqual(
            servers(parse_hints(content)), {"a.example": ("192.0.2.1", "2001:db8::1"), "b.example": ("192.0.2.2",)}
        )
        self.assertEqual(self.problems(content), [])

    def test_a_line_that_is_no_record(self) -> None:
        """It is named by its number, with what it should look like; the others count."""
        self.assertProblem(GOOD + b"b.example. A 192.0.2", 3, False, "write NAME TTL TYPE VALUE")
        self.assertProblem(GOOD + b"b.example. WHAT 192.0.2.1", 3, False, "is no record")
        self.assertProblem(GOOD + b"\xff\xfe A 192.0.2.1", 3, False, "is no record")
        self.assertEqual(list(servers(parse_hints(GOOD + b"garbage"))), ["a.example"])

    def test_directives_are_not_understood(self) -> None:
        """Names are written in full."""
        self.assertProblem(b"$ORIGIN example.\n" + GOOD, 1, False, "write every name in full")

    def test_a_server_without_an_address_is_left_out(self) -> None:
        """With a warning at its NS line."""
        self.assertProblem(GOOD + b". NS b.example.", 3, True, "no address of b.example")

    def test_an_address_that_nobody_asked_for_is_left_out(self) -> None:
        """With a warning."""
        self.assertProblem(GOOD + b"b.example. A 192.0.2.2", 3, True, "which no NS line names")

    def test_servers_of_another_zone_are_left_out(self) -> None:
        """Hints are for the root alone."""
        self.assertProblem(GOOD + b"example. NS a.example.", 3, True, "hints are for the root alone")

    def test_records_of_other_types_are_left_out(self) -> None:
        """With a warning that names the type."""
        self.assertProblem(GOOD + b". TXT hello", 3, True, "of type TXT")

    def test_hints_without_a_server_are_of_no_use(self) -> None:
        """That is an error."""
        for content in (b"", b"; nothing\n"):
            self.assertProblem(content, 1, False, "name no root server with an address")

    @given(st.one_of(st.binary(), st.text(alphabet='. \tNSA1;$()"\\\n').map(str.encode)))
    def test_any_bytes_are_read(self, content: bytes) -> None:
        """What is wrong comes back as problems, each with its line, never as an exception."""
        hints = parse_hints(content)
        self.assertTrue(hints.servers or hints.problems)
        self.assertEqual([problem.line for problem in hints.problems if problem.line < 1], [])

    def test_the_builtin_hints_are_those_of_the_internet(self) -> None:
        """Thirteen servers, each with an IPv4 and an IPv6 address."""
        hints = builtin_hints()
        self.assertEqual(hints.problems, ())
        named = servers(hints)
        self.assertEqual(list(named), [f"{letter}.root-servers.net" for letter in "abcdefghijklm"])
        self.assertEqual({len(given) for given in named.values()}, {2})
        self.assertEqual(named["a.root-servers.net"], ("198.41.0.4", "2001:503:ba3e::2:30"))
        self.assertEqual(named["b.root-servers.net"], ("170.247.170.2", "2801:1b8:10::b"))
        self.assertEqual(named["m.root-servers.net"], ("202.12.27.33", "2001:dc3::35"))


class TreeTests(WalkTestCase):
    """The root, TLDs and zones of etc/tree."""

    def setUp(self) -> None:
        self.zones = {
            origin: dns.zone.from_file(str(TREE / f"{file}.zone"), origin, relativize=False)
            for origin, file in ZONES.items()
        }
        self.config = tomllib.loads((TREE / "tree.toml").read_text())["resolver"]

    def rdatas(self, zone: str, name: dns.name.Name, rrtype: str) -> set[str]:
        found = self.zones[zone].get_rdataset(name, rrtype)
        return {rdata.to_text() for rdata in found or ()}

    def test_each_delegation_agrees_with_its_zone(self) -> None:
        """Parent and child name the same servers, and every zone but the root is delegated once."""
        delegated = []
        for zone in self.zones.values():
            for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.NS):
                if name != zone.origin:
                    delegated.append(name.to_text())
                    self.assertEqual({rdata.to_text() for rdata in rdataset}, self.rdatas(name.to_text(), name, "NS"))
        self.assertEqual(sorted(delegated), sorted(set(ZONES) - {"."}))

    def test_glue_is_there_and_true(self) -> None:
        """Where a server's name lies below the delegated zone's parent, its address stands beside the delegation."""
        for origin, zone in self.zones.items():
            for _, rdataset in zone.iterate_rdatasets(dns.rdatatype.NS):
                for server in (rdata.target for rdata in rdataset):
                    home = max((name for name in ZONES if server.is_subdomain(dns.name.from_text(name))), key=len)
                    truth = self.rdatas(home, server, "A")
                    self.assertTrue(truth, server)
                    if server.is_subdomain(zone.origin):
                        self.assertEqual(self.rdatas(origin, server, "A"), truth)

    def test_the_hints_name_the_root(self) -> None:
        """With the address that its zone gives."""
        hints = parse_hints((TREE / "root.hints").read_bytes())
        self.assertEqual((hints.problems, servers(hints)), ((), {"a.root-servers.test": ("127.0.1.1",)}))
        self.assertEqual(self.rdatas(".", dns.name.root, "NS"), {"a.root-servers.test."})

    def test_the_configuration_serves_every_zone_at_the_address_that_its_delegation_says(self) -> None:
        """All on one port, which the walk uses."""
        port = self.config["main"]["root_port"]
        served = {}
        for table in (self.config[name] for name in ("root", "tld", "zone")):
            scheme, number, interface = table["listen"].split(":")
            self.assertEqual((scheme, int(number)), ("udp", port))
            files = table["records"] if isinstance(table["records"], list) else [table["records"]]
            self.assertEqual(files, [f"{ZONES[zone if zone == '.' else zone + '.']}.zone" for zone in table["zones"]])
            for zone in table["zones"]:
                served[dns.name.from_text(zone).to_text()] = {interface.removeprefix("interface=")}
        self.assertEqual(sorted(served), sorted(ZONES))
        for origin, zone in self.zones.items():
            for server in zone.get_rdataset(zone.origin, "NS"):
                home = max((name for name in ZONES if server.target.is_subdomain(dns.name.from_text(name))), key=len)
                self.assertEqual(self.rdatas(home, server.target, "A"), served[origin])

    def test_a_walk_finds_what_the_tree_holds(self) -> None:
        """Over glue, a delegation without glue, a CNAME across zones and an empty non-terminal."""
        self.servers = Servers()
        self.clock, self.steps = self.servers.clock, []
        for table in (self.config[name] for name in ("root", "tld", "zone")):
            for zone in table["zones"]:
                origin = "." if zone == "." else zone + "."
                lines = (TREE / f"{ZONES[origin]}.zone").read_text().splitlines()
                text = "\n".join(line for line in lines if not line.startswith("$"))
                self.servers.serve(table["listen"].rpartition("=")[2], origin, text)
        hints = parse_hints((TREE / "root.hints").read_bytes())
        self.walk = self.make(hints=hints, port=self.config["main"]["root_port"])
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.80"])
        self.assertAnswers(self.resolve("shop.lab.test A"), "shop.lab.test CNAME", "www.shop.example A")
        self.assertEqual(addresses(self.resolve("host.room-1.floor-2.lab.test A")), ["192.0.2.12"])
        self.assertEqual(self.resolve("nothing.lab.test A").rcode, Rcode.NXDOMAIN)
        self.assertEqual(self.walk._delegations.find(key_of("a.shop.example"), 0.0).zone, key_of("shop.example"))
