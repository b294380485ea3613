"""Certificates of a lab's own authority, and of the servers that it vouches for (RFC 5280; no I/O)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labnet.wire.names import labels, wire_of

AUTHORITY_DAYS: Final = 3650
"""Days that an authority lasts."""

_SKEW: Final = timedelta(hours=1)
"""A certificate is valid this long before it was made: the clocks of a lab differ."""

_LONGEST_COMMON_NAME: Final = 64  # RFC 5280, appendix A.1

SubjectName = str | ipaddress.IPv4Address | ipaddress.IPv6Address
"""What a server is called in its certificate: a domain name in A-labels, or an address."""

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class CertificateError(ValueError):
    """A name, a certificate or a key cannot be used; the text says why."""


@dataclass(frozen=True)
class Authority:
    """An authority: its certificate, and the key that it signs with."""

    certificate: x509.Certificate
    key: SigningKey


def read_name(text: str) -> SubjectName:
    """What a server is called: an address, a domain name, or one whose first label is ``*``.

    Raises :class:`CertificateError`.
    """
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        wire = wire_of(text.removesuffix("."))
    found = [] if wire is None else [label.decode("latin-1").lower() for label in labels(wire)]
    plain = found[1:] if found[:1] == ["*"] else found
    if not plain or not all(char.isascii() and (char.isalnum() or char in "-_") for label in plain for char in label):
        raise CertificateError(f"{text!r} is neither a domain name nor an IP address")
    return ".".join(found)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new key, on the curve P-256, which every client knows."""
    return ec.generate_private_key(ec.SECP256R1())


def read_key(pem: bytes) -> SigningKey:
    """The key in a PEM file. Raises :class:`CertificateError`."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # TypeError: it wants a password
        raise CertificateError("holds no private key in PEM without a password") from None
    if not isinstance(key, SigningKey):
        raise CertificateError("holds a key of another kind than EC and RSA")
    return key


def pem_of(made: x509.Certificate | SigningKey) -> bytes:
    """A certificate or a key as PEM."""
    if isinstance(made, x509.Certificate):
        return made.public_bytes(serialization.Encoding.PEM)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_authority(name: str, now: datetime) -> Authority:
    """An authority called ``name``, valid from ``now`` for :data:`AUTHORITY_DAYS`; it vouches for servers alone."""
    key = new_key()
    subject = _subject(name)
    end = now + timedelta(days=AUTHORITY_DAYS)
    builder = _begun(subject, subject, key, now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(is_authority=True), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(certificate: bytes, key: SigningKey) -> Authority:
    """The authority of a certificate in PEM and its ``key``. Raises :class:`CertificateError` where it is none."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        is_authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except ValueError:
        raise CertificateError("holds no certificate in PEM") from None
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise CertificateError("holds a certificate that is no authority's")
    if key.public_key() != found.public_key():
        raise CertificateError("does not belong to the key beside it")
    return Authority(found, key)


def server_certificate(
    authority: Authority, key: SigningKey, names: Sequence[SubjectName], now: datetime, days: int
) -> x509.Certificate:
    """The certificate of the server with ``key``, called ``names``, for ``days`` from ``now``.

    It ends with its authority at the latest. Raises :class:`CertificateError` where that is over.
    """
    last = authority.certificate.not_valid_after_utc
    if last <= now:
        raise CertificateError(f"ended on {last:%Y-%m-%d}")
    end = min(last, now + timedelta(days=days))
    builder = _begun(_subject(str(names[0])), authority.certificate.subject, key, now, end)
    alternatives = [x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name) for name in names]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(is_authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return builder.add_extension(issuer, critical=False).sign(authority.key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_COMMON_NAME])])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: SigningKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _SKEW).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
