"""TLS as a client speaks it: 1.2 or newer, with a server whose name and authority are checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure

from labnet.net.tls.credentials import BadCredentials, reason_of


def client_tls(name: str, authorities: bytes | None, protocols: Sequence[bytes]) -> IOpenSSLClientConnectionCreator:
    """What connects to the server called ``name``, a domain name or an address, and offers ``protocols`` by ALPN.

    Somebody among the ``authorities`` (PEM), or those of the system, has to vouch for it.
    """
    trust: Any = platformTrust() if authorities is None else trustRootFromCertificates(_certificates(authorities))
    creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(name, trust, acceptableProtocols=list(protocols))
    return creator


def check_authorities(pem: bytes) -> None:
    """Raise :class:`BadCredentials` where ``pem`` holds no certificate."""
    _certificates(pem)


def why_untrusted(reason: Failure) -> str | None:
    """Why a connection was lost, where that was TLS: who the server is, or how it speaks."""
    error = reason.value
    if isinstance(error, VerificationError):
        return "its certificate is for another name"
    return reason_of(error) if isinstance(error, SSL.Error) else None


def _certificates(pem: bytes) -> list[Any]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BadCredentials("holds no certificate in PEM") from None
    return [Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in found]
