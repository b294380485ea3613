"""Certificates for tests: one authority, and servers that it vouches for; and a client that speaks TLS in memory."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Protocol

from labnet.authority.certificates import (
    Authority,
    new_authority,
    new_key,
    pem_of,
    read_name,
    server_certificate,
)

NAME = "dns.lab.test"
OURS = "the tests' authority"


@cache
def authority(name: str) -> Authority:
    """The authority of that name."""
    return new_authority(name, datetime.now(UTC))


@cache
def server(*names: str, by: str = OURS, age: int = 0, days: int = 30) -> tuple[bytes, bytes]:
    """Certificate and key, PEM, of a server called ``names``, made ``age`` days ago for ``days``."""
    key = new_key()
    made = datetime.now(UTC) - timedelta(days=age)
    called = [read_name(name) for name in names or (NAME, "127.0.0.1")]
    return pem_of(server_certificate(authority(by), key, called, made, days)), pem_of(key)


def write(folder: Path | str, credentials: tuple[bytes, bytes] | None = None, stem: str = "server") -> tuple[str, str]:
    """Write certificate and key, of a server of the tests by default, and ``ca.pem``; the paths of the first two."""
    certificate, key = (Path(folder) / f"{stem}.{kind}" for kind in ("pem", "key"))
    for path, content in zip((certificate, key), credentials or server(), strict=True):
        path.write_bytes(content)
    (Path(folder) / "ca.pem").write_bytes(pem_of(authority(OURS).certificate))
    return str(certificate), str(key)


@contextmanager
def written(credentials: tuple[bytes, bytes] | None = None) -> Iterator[tuple[str, str]]:
    """A folder with what :func:`write` writes, and its paths."""
    with tempfile.TemporaryDirectory() as folder:
        yield write(folder, credentials)


def trusting(*protocols: str, by: str = OURS) -> ssl.SSLContext:
    """What a client believes that knows that authority alone; it offers ``protocols`` by ALPN."""
    context = ssl.create_default_context(cadata=pem_of(authority(by).certificate).decode())
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Wire(Protocol):
    """A connection in memory, as :class:`tests.fakes.Client` has it."""

    def send(self, *segments: bytes) -> None:
        """Bytes to the server."""

    def received(self) -> bytes:
        """Bytes of the server's that have come."""


class TLSClient:
    """Speaks TLS over ``wire``; the handshake is over at once, or raises."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, name: str = NAME) -> None:
        self.wire = wire
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        for _ in range(10):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._move()
            else:
                break
        else:
            raise AssertionError("the handshake does not end")
        self._move()

    def _move(self) -> None:
        if self._out.pending:
            self.wire.send(self._out.read())
        self._in.write(self.wire.received())

    def send(self, *pieces: bytes) -> None:
        """Each piece in a record of its own, all in one segment."""
        for piece in filter(None, pieces):
            self.tls.write(piece)
        self._move()

    def received(self) -> bytes:
        """What the server has said since the last call."""
        self._move()
        found = b""
        while True:
            try:
                piece = self.tls.read(65536)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                return found
            if not piece:  # the server has said that nothing more comes
                return found
            found += piece
