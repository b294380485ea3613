"""What a server proves who it is by: its certificate and key, read from PEM (RFC 7468; no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from OpenSSL import SSL

SOON: Final = 7 * 86400
"""Seconds before the end of a certificate from which it is said to end soon."""


ServerKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class BadCredentials(ValueError):
    """A certificate or a key cannot be used; the text says why, ``of_key`` which of the two files it is."""

    def __init__(self, text: str, of_key: bool = False) -> None:
        super().__init__(text)
        self.of_key = of_key


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate with those of the authorities on the way (``chain``, PEM), and its ``key`` (PEM).

    It is valid from ``begins`` until ``ends`` (epoch seconds).
    """

    chain: bytes
    key: bytes = field(repr=False)
    begins: float
    ends: float

    def doubt(self, now: float) -> str | None:
        """What is doubtful about its time at ``now`` (epoch seconds), in words."""
        if now < self.begins:
            return f"is valid from {_day(self.begins)} on, so clients refuse it now"
        if now >= self.ends:
            return f"ended on {_day(self.ends)}, so clients refuse it: renew it"
        if now >= self.ends - SOON:
            return f"ends on {_day(self.ends)}: renew it"
        return None


def read_credentials(chain: bytes, key: bytes) -> Credentials:
    """The credentials in two PEM files. Raises :class:`BadCredentials`."""
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        raise BadCredentials("holds no certificate in PEM") from None
    secret = read_key(key)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    try:
        context.use_certificate(certificates[0])
    except SSL.Error as error:
        raise BadCredentials(f"holds a certificate that cannot be used: {reason_of(error)}") from None
    if secret.public_key() != certificates[0].public_key():
        raise BadCredentials("is not the key of the certificate", of_key=True)
    begins, ends = certificates[0].not_valid_before_utc, certificates[0].not_valid_after_utc
    return Credentials(chain, key, begins.timestamp(), ends.timestamp())


def read_key(pem: bytes) -> ServerKey:
    """The key in a PEM file. Raises :class:`BadCredentials`."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # TypeError: it wants a password
        raise BadCredentials("holds no private key in PEM without a password", of_key=True) from None
    if not isinstance(key, ServerKey):
        raise BadCredentials("holds a key of another kind than EC, RSA and Ed25519", of_key=True)
    return key


def reason_of(error: SSL.Error) -> str:
    """What OpenSSL says of an error."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else ()
    return ", ".join(str(reason[-1]) for reason in reasons) or "unknown"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d}"
