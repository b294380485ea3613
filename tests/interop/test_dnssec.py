"""unbound validates over labnet what NSD, named and Knot serve from a signed zone."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import digs
from tests.interop.dns_peers import LOOPBACK, ORIGIN, QUESTIONS, ZONE, Peer, serving, validating
from tests.interop.peers import tool

SIGNING = (("nsd", "nsec"), ("knotd", "nsec3"), ("named", "nsec3"))


@dataclass(frozen=True)
class Signed:
    """The zone, signed, and the key that a validator trusts as it stands in a zone file."""

    zone: str
    anchor: str


def signed(folder: Path, denial: str) -> Signed:
    """The zone of the other tests, signed with a new key; its denials are of the kind ``denial``."""
    folder.mkdir()
    (folder / "zone").write_text(ZONE)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=True)
        return done.stdout.strip()

    key = run(tool("ldns-keygen", "ldnsutils"), "-a", "ECDSAP256SHA256", "-k", ORIGIN)
    kind = ("-n", "-t", "1") if denial == "nsec3" else ()
    run(tool("ldns-signzone", "ldnsutils"), *kind, "-f", "signed", "zone", key)
    return Signed((folder / "signed").read_text(), (folder / f"{key}.key").read_text().partition(";")[0].strip())


def check(validator: Peer) -> None:
    """Every question has its answer, authenticated."""
    for asked, one in zip(QUESTIONS, digs(validator.address, QUESTIONS, "+dnssec"), strict=True):
        expected = "NXDOMAIN" if asked[0].split(".")[0] in ("nothing", "gone") else "NOERROR"
        assert (one.status, "ad" in one.flags) == (expected, True), one.text


@pytest.mark.parametrize(("name", "denial"), SIGNING, ids=["nsd", "knotd", "named"])
def test_a_validator_behind_labnet_validates(name: str, denial: str, tmp_path: Path) -> None:
    """Each kind of answer is authenticated (AD), none is bogus; then from labnet's cache alone, by a new validator."""
    zone = signed(tmp_path / "keys", denial)
    with serving(name, tmp_path / name, zone.zone) as peer:
        config = f'[resolver.main]\nlisten = "udp:0"\nparents = ["dns:{LOOPBACK}:{peer.address[1]}"]\n'
        (tmp_path / "lab.toml").write_text(config)
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            port = daemon.address("resolver main")[1]
            for number in range(2):
                with validating(tmp_path / f"unbound{number}", port, zone.anchor) as unbound:
                    check(unbound)
                peer.freeze()


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_a_validator_validates_a_signed_zone_of_labnets_own(denial: str, tmp_path: Path) -> None:
    """Each kind of answer is authenticated (AD), none is bogus."""
    zone = signed(tmp_path / "keys", denial)
    (tmp_path / "db.lab.test").write_text(zone.zone)
    config = f'[resolver.main]\nlisten = "udp:0"\nrecords = ["db.lab.test"]\nzones = ["{ORIGIN}"]\n'
    (tmp_path / "lab.toml").write_text(config)
    with (
        Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon,
        validating(tmp_path / "unbound", daemon.address("resolver main")[1], zone.anchor) as unbound,
    ):
        check(unbound)
