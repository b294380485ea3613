"""labnet validates as unbound does, and as delv where unbound lets more pass: a signed tree, and broken zones."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest

from labnet.signing.zone import Key
from tests.interop.broken_zones import KINDS, VARIANTS, world_of
from tests.interop.daemon import DEADLINE, TWISTD, Daemon
from tests.interop.dns_peers import LOOPBACK, Peer, free_port, validating_with
from tests.interop.dnssec_world import serving_world
from tests.interop.peers import tool
from tests.interop.plain import Address
from tests.interop.test_dns_tree import EXPECTED, HOSTS, copied

LENIENT = {
    ("www.ds-sha1-beside-nsec.", "A"): "SHA-1 counts beside a better digest that is wrong (RFC 4509, section 3)",
    ("alias.ds-sha1-beside-nsec.", "A"): "the same",
    ("x.wild.types-more-nsec.", "MX"): "a wildcard's NSEC denies a type that it has",
    ("x.wild.types-alias-nsec.", "MX"): "a wildcard's NSEC denies an alias that it has",
    ("www.nxdomain-for-nodata-nsec.", "MX"): "NXDOMAIN is turned into NODATA, which is what is proven",
    ("ent.nxdomain-for-nodata-nsec.", "A"): "the same",
}
"""What unbound calls secure and neither labnet nor delv does: the question, and why."""

STRICT = {(f"a.old.good-{kind}.", "CNAME"): "a CNAME that a DNAME makes is asked for itself" for kind in KINDS}
"""What unbound 1.17 calls bogus, and labnet and delv secure: the question, and why."""

_FAILED = (("SERVFAIL", False),)
_CODES = (1, 6, 7, 8, 9, 10, 11, 12)

Verdict = tuple[str, bool]
"""An RCODE, and whether AD is set."""


@dataclass(frozen=True)
class Worlds:
    """The broken zones, and who validates them."""

    address: Address
    questions: list[tuple[str, str]]
    key: Key
    unbound: Peer
    labnet: Address
    folder: Path


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """One server with all zones; unbound and one daemon that ask it and begin at its root's key."""
    folder = tmp_path_factory.mktemp("worlds")
    world, key, questions = world_of(time.time())
    anchor = f". IN DS {key.ds(dns.name.root)}"
    (folder / "anchors").write_text(f"{anchor}\n")
    with serving_world(world) as address, validating_with(folder / "unbound", address[1], anchor) as unbound:
        parent = f"dns:{LOOPBACK}:{address[1]}"
        (folder / "lab.toml").write_text(
            f'[resolver.main]\nlisten = "udp:0"\nparents = "{parent}"\ndnssec = "validate"\ntrust_anchors = "anchors"\n'
        )
        with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
            yield Worlds(address, questions, key, unbound, daemon.address("resolver main"), folder)


def verdicts(
    address: Address, questions: Sequence[tuple[str, str]], dnssec: bool = True
) -> list[tuple[Verdict, list[dns.edns.EDEOption]]]:
    """What a resolver says to each question, and why; without ``dnssec`` to a client that wants no signatures (DO)."""
    found = []
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(address)
        for name, rrtype in questions:
            query = dns.message.make_query(name, rrtype, want_dnssec=dnssec, payload=1232)
            query.flags |= dns.flags.AD
            sock.send(query.to_wire())
            reply = dns.message.from_wire(sock.recv(65535))
            while reply.id != query.id:
                reply = dns.message.from_wire(sock.recv(65535))
            is_authentic = bool(reply.flags & dns.flags.AD)
            found.append(((dns.rcode.to_text(reply.rcode()), is_authentic), reply.extended_errors()))
    return found


def delv(worlds: Worlds, name: str, rrtype: str) -> str:
    """What delv prints when it validates by itself."""
    ds = worlds.key.ds(dns.name.root)
    anchors = worlds.folder / "delv.anchors"
    digest = ds.digest.hex()
    anchors.write_text(f'trust-anchors {{ . static-ds {ds.key_tag} {ds.algorithm} {ds.digest_type} "{digest}"; }};\n')
    host, port = worlds.address
    command = [tool("delv", "bind9-dnsutils"), f"@{host}", "-p", str(port), "+root", "-a", str(anchors), name, rrtype]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    return done.stdout + done.stderr


def test_there_are_enough_ways_to_be_broken() -> None:
    """Each is a zone of its own."""
    assert sum(len(variant.every_kind) for variant in VARIANTS) >= 120


def test_labnet_and_unbound_agree_on_every_broken_zone(worlds: Worlds) -> None:
    """RCODE and AD of every question; where they differ, delv is with labnet."""
    ours = verdicts(worlds.labnet, worlds.questions)
    theirs = verdicts(worlds.unbound.address, worlds.questions)
    different = {
        asked: (our[0], their[0])
        for asked, our, their in zip(worlds.questions, ours, theirs, strict=True)
        if our[0] != their[0]
    }
    bogus, secure = ("SERVFAIL", False), ("NOERROR", True)
    for asked, pair in different.items():
        assert asked in LENIENT | STRICT, (asked, pair)
        assert pair == ((bogus, secure) if asked in LENIENT else (secure, bogus)), asked
        assert ("fully validated" in delv(worlds, *asked)) == (asked in STRICT), asked
    failed = {asked: told for asked, (verdict, told) in zip(worlds.questions, ours, strict=True) if verdict in _FAILED}
    assert failed
    assert not [asked for asked, told in failed.items() if not any(each.code in _CODES and each.text for each in told)]


def test_what_a_client_without_dnssec_is_told_is_the_same(worlds: Worlds) -> None:
    """RCODE and AD of every question, by the fast path where that can tell."""
    questions = worlds.questions * 2  # the second time the keys of each zone are known
    asked = [verdict for verdict, _ in verdicts(worlds.labnet, questions, dnssec=False)]
    assert asked == [verdict for verdict, _ in verdicts(worlds.labnet, questions)]


def test_what_is_secure_is_so_for_delv_as_well(worlds: Worlds) -> None:
    """A question for each kind of answer in a zone that is right; and one in a zone that is not signed."""
    for name, rrtype in (("www", "A"), ("nothing", "A"), ("www", "MX"), ("x.wild", "A"), ("a.old", "A")):
        for kind in ("nsec", "nsec3"):
            asked = f"{name}.good-{kind}.", rrtype
            assert verdicts(worlds.labnet, [asked])[0][0][1]
            assert "fully validated" in delv(worlds, *asked)
    assert "unsigned answer" in delv(worlds, "www.insecure.", "A")


@dataclass(frozen=True)
class SignedTree:
    """The tree in etc/tree, signed, in its folder; a resolver that validates in it, and unbound that does."""

    folder: Path
    port: int
    labnet: Address
    unbound: Peer

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A ``labnet`` command."""
        command = [TWISTD.replace("twistd", "labnet"), *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE)


@pytest.fixture(scope="module", params=["nsec", "nsec3"])
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedTree]:
    """The tree in etc/tree, signed by ``labnet sign``; unbound, which is told where each of its zones is served."""
    port = free_port(*HOSTS.values())
    folder = copied(tmp_path_factory.mktemp("tree"), port)
    options = ("--nsec3",) if request.param == "nsec3" else ()
    zones = sorted(str(each) for each in folder.glob("*.zone"))
    command = [TWISTD.replace("twistd", "labnet"), "sign", *options, "--into", str(folder / "signed"), *zones]
    signing = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert signing.returncode == 0, signing.stderr
    anchor = (folder / "signed" / "trust-anchors").read_text().strip()
    served = {".": "root", "test": "tld", "example": "tld", "lab.test": "zone", "shop.example": "zone"}
    stubs = "".join(
        f'stub-zone:\n name: "{zone}"\n stub-addr: {HOSTS[server]}@{port}\n' for zone, server in served.items()
    )
    with (
        Daemon("labnet", "--config=signed.toml", cwd=folder) as daemon,
        validating_with(folder / "unbound", 0, anchor, stubs) as unbound,
    ):
        yield SignedTree(folder, port, daemon.address("resolver main"), unbound)


def test_the_whole_signed_tree_is_secure_for_both(tree: SignedTree) -> None:
    """Every record of its zones, and each kind of answer that no line of a file is: all have AD."""
    questions = [asked for asked, _, _ in EXPECTED]
    questions += [
        (name, rrtype) for name in (".", "test.", "lab.test.", "shop.example.") for rrtype in ("DNSKEY", "DS")
    ]
    ours = [verdict for verdict, _ in verdicts(tree.labnet, questions)]
    theirs = [verdict for verdict, _ in verdicts(tree.unbound.address, questions)]
    assert dict(zip(questions, ours, strict=True)) == dict(zip(questions, theirs, strict=True))
    assert all(is_authentic for _, is_authentic in ours)
    assert len(questions) > 30


def test_a_trace_tells_the_chain_of_trust_link_by_link(tree: SignedTree) -> None:
    """From the anchor to the zone, then what the answer is; one that does not fit the anchor is bogus, status 2."""
    asked = ("resolve", "--trace", HOSTS["root"], str(tree.port), "www.lab.test")
    traced = tree.run(*asked, "--anchors", "signed/trust-anchors")
    told = [line for line in traced.stdout.splitlines() if "vouches" in line or "secure" in line]
    assert [re.sub(r"key \d+", "key", line) for line in told] == [
        "the trust anchor vouches for key of ., which signs itself",
        "the DS in . vouches for key of test, which signs itself",
        "the DS in test vouches for key of lab.test, which signs itself",
        "www.lab.test A: secure: signed by lab.test, by way of . → test → lab.test",
    ]
    assert (traced.stdout.splitlines()[-1], traced.returncode) == ("www.lab.test 600 A 192.0.2.80", 0)
    other = tree.run(*asked, "--dnssec")
    assert other.returncode == 2
    assert "labnet: www.lab.test: bogus: the trust anchor of . leads to no key of it" in other.stderr
    assert tree.run(*asked, "--anchors", "none").stderr == "labnet: none: cannot be read: No such file or directory\n"
