"""The hard zone signed by BIND's tools: with NSEC, with NSEC3, and with NSEC3 that leaves delegations out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.interop import hard_zones
from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool

KINDS: Final = {
    "nsec.test": (),
    "nsec3.test": ("-3", "aabb", "-H", "5"),
    "optout.test": ("-3", "-", "-H", "0", "-A"),
}
"""Options of dnssec-signzone by the zone's name."""


def signed(folder: Path) -> dict[str, str]:
    """The text of each zone, signed in ``folder``."""
    folder.mkdir()
    return {origin: _sign(folder, origin, options) for origin, options in KINDS.items()}


def questions() -> list[tuple[str, str]]:
    """Those about the hard zone, asked of each signed one."""
    asked = [question for question in hard_zones.QUESTIONS if question[0].endswith(".hard.test.")]
    own = [("hard.test.", rrtype) for rrtype in ("SOA", "NS", "DNSKEY", "MX", "A")]
    return [(name.replace("hard.test.", f"{origin}."), rrtype) for origin in KINDS for name, rrtype in [*own, *asked]]


def _sign(folder: Path, origin: str, options: tuple[str, ...]) -> str:
    zone = folder / origin
    zone.write_text(hard_zones.ZONES["hard.test"].replace("hard.test.", f"{origin}."))
    keygen, signzone = tool("dnssec-keygen", "bind9-dnsutils"), tool("dnssec-signzone", "bind9-utils")
    for flags in ((), ("-f", "KSK")):
        _run(keygen, "-q", "-K", str(folder), "-a", "ECDSAP256SHA256", *flags, origin)
    names = ("-K", str(folder), "-d", str(folder), "-o", origin, "-f", f"{zone}.signed")
    _run(signzone, "-q", "-S", "-P", "-O", "full", *names, *options, str(zone))
    return (folder / f"{origin}.signed").read_text()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
