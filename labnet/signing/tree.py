"""Several zone files, signed so that each zone vouches for those below it, and the anchors of the others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.zone
from cryptography.exceptions import UnsupportedAlgorithm

from labnet.signing.zone import Key, Signing, make_key, read_key, sign

ANCHORS: Final = "trust-anchors"
"""The file of the anchors, in the folder of the signed zones."""


class CannotSign(Exception):
    """A zone cannot be signed; the text says which, why, and what to do."""


@dataclass(frozen=True)
class SignedFile:
    """A signed zone: its name, its key's tag, and the file that it is in."""

    zone: str
    tag: int
    path: Path


def sign_tree(files: Sequence[Path], into: Path, signing: Signing, algorithm: str) -> list[SignedFile]:
    """Sign the zones in ``files``; the signed ones, their keys and the trust anchors are in the folder ``into`` then.

    A key that is there already is used again. Raises :class:`CannotSign`.
    """
    zones = {path: _read(path) for path in files}
    try:
        into.mkdir(parents=True, exist_ok=True)
        for path in files:
            if (into / path.name).exists() and os.path.samefile(into / path.name, path):
                raise CannotSign(f"{path}: the signed zone would take its place; name another folder with --into")
        signed, anchors = [], []
        vouched: dict[dns.name.Name, Key] = {}
        for path, zone in sorted(zones.items(), key=lambda each: -len(_origin(each[1]))):
            origin = _origin(zone)
            key = vouched[origin] = _key(into, origin, algorithm)
            for child in vouched:
                if child != origin and zone.get_rdataset(child, dns.rdatatype.NS) is not None:
                    ttl = zone.find_rdataset(child, dns.rdatatype.NS).ttl
                    zone.find_rdataset(child, dns.rdatatype.DS, create=True).add(vouched[child].ds(child), ttl)
            if not any(origin.is_subdomain(_origin(other)) for other in zones.values() if other is not zone):
                anchors.append(f"{origin} IN DS {key.ds(origin)}\n")
            sign(zone, key, signing)
            zone.to_file(str(into / path.name), relativize=False, want_origin=True)
            signed.append(SignedFile(origin.to_text(omit_final_dot=True), key.tag, into / path.name))
        (into / ANCHORS).write_text("".join(anchors))
    except OSError as error:
        raise CannotSign(f"{error.filename or into}: cannot be written: {error.strerror}") from None
    return signed


def _origin(zone: dns.zone.Zone) -> dns.name.Name:
    assert zone.origin is not None
    return zone.origin


def _read(path: Path) -> dns.zone.Zone:
    try:
        zone = dns.zone.from_file(str(path), relativize=False)
    except OSError as error:
        raise CannotSign(f"{path}: cannot be read: {error.strerror}") from None
    except (dns.exception.DNSException, ValueError, KeyError) as error:
        why = str(error) or type(error).__name__
        raise CannotSign(f"{path}: is no file of one zone with a SOA: {why}; begin it with $ORIGIN ZONE.") from None
    if zone.origin is None:
        raise CannotSign(f"{path}: does not say which zone it is: begin it with $ORIGIN ZONE.")
    return zone


def _key(into: Path, origin: dns.name.Name, algorithm: str) -> Key:
    """The key of a zone: the one in the folder, or a new one, which is written there."""
    path = into / f"{'root' if origin == dns.name.root else origin.to_text(omit_final_dot=True)}.pem"
    with contextlib.suppress(FileNotFoundError):
        try:
            return read_key(path.read_bytes(), algorithm)
        except (ValueError, TypeError, UnsupportedAlgorithm, dns.exception.DNSException):
            raise CannotSign(f"{path}: is no key of {algorithm}: name its algorithm, or remove it") from None
    key = make_key(algorithm)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private.to_pem())
    return key
