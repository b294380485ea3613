"""Server cookies (RFC 7873 and RFC 9018): a client that shows one is really at its address (sans-IO)."""

from __future__ import annotations

import socket
import struct
from typing import Final

_VERSION: Final = b"\x01\0\0\0"
_NEWEST: Final = 300  # seconds that a cookie may lie in the future (RFC 9018, section 4.3)
_OLDEST: Final = 3600
_MASK: Final = 2**64 - 1


class Cookies:
    """Makes and checks cookies with ``secret`` (16 bytes, the same on all servers behind one address)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, client_cookie: bytes, host: str, now: float) -> bytes:
        """The whole COOKIE option for a client at ``host`` that sent ``client_cookie`` (8 bytes)."""
        stamp = _VERSION + struct.pack("!I", int(now) & 0xFFFFFFFF)
        return client_cookie + stamp + self._hash(client_cookie, stamp, host)

    def is_valid(self, cookie: bytes, host: str, now: float) -> bool:
        """Whether ``cookie``, a whole option, has a server cookie of ours for ``host`` that is not too old."""
        client_cookie, stamp, digest = cookie[:8], cookie[8:16], cookie[16:]
        if len(cookie) != 24 or stamp[:4] != _VERSION or digest != self._hash(client_cookie, stamp, host):
            return False
        age = (int(now) - struct.unpack("!I", stamp[4:])[0] + 2**31) % 2**32 - 2**31  # serial arithmetic, RFC 1982
        return bool(-_NEWEST <= age <= _OLDEST)

    def _hash(self, client_cookie: bytes, stamp: bytes, host: str) -> bytes:
        address = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
        return struct.pack("<Q", siphash24(self._secret, client_cookie + stamp + address))


def siphash24(key: bytes, data: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012) of ``data`` under ``key`` (16 bytes), as RFC 9018 asks for."""
    k0, k1 = struct.unpack("<QQ", key)
    v0: int
    v1: int
    v2: int
    v3: int
    v0, v1, v2, v3 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    padded = data + b"\0" * (7 - len(data) % 8) + bytes((len(data) & 255,))
    words = [(word, 2) for (word,) in struct.iter_unpack("<Q", padded)]
    mask = _MASK
    for word, rounds in (*words, (0, 4)):
        v3 ^= word
        if rounds == 4:  # after the last word
            v2 ^= 0xFF
        for _ in range(rounds):  # a function for a round would take as long again
            v0 = v0 + v1 & mask
            v1 = (v1 << 13 & mask | v1 >> 51) ^ v0
            v0 = v0 << 32 & mask | v0 >> 32
            v2 = v2 + v3 & mask
            v3 = (v3 << 16 & mask | v3 >> 48) ^ v2
            v0 = v0 + v3 & mask
            v3 = (v3 << 21 & mask | v3 >> 43) ^ v0
            v2 = v2 + v1 & mask
            v1 = (v1 << 17 & mask | v1 >> 47) ^ v2
            v2 = v2 << 32 & mask | v2 >> 32
        v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3
