"""Signed messages (TSIG, RFC 8945; sans-IO): those that come are checked and opened, those that go are signed.

The digests are dnspython's. Times are epoch seconds and are handed in.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
from dns.rdtypes.ANY.TSIG import TSIG as TsigRdata

from labnet.wire.dns_common import HEADER, RECORD, TSIG, Tsig, skip_name, tsig_of
from labnet.wire.dns_request import Refusal, tsig_error
from labnet.wire.types import Rcode

FUDGE: Final = 300
"""Seconds by which the clocks of both sides may differ (RFC 8945, section 10)."""

MOST_UNSIGNED: Final = 99
"""Messages of one transfer that may come unsigned in a row (RFC 8945, section 5.3.1)."""

_ANY: Final = 255
_BADSIG, _BADTIME = 16, 18
_ARCOUNT: Final = struct.Struct("!H")


class SignatureError(Exception):
    """A message is not signed as it has to be; the text says what is wrong."""


class Keyring:
    """The keys that are known: by the name of each its algorithm and its secret."""

    def __init__(self, keys: Mapping[str, tuple[str, bytes]]) -> None:
        self._keys: dict[dns.name.Name, dns.tsig.Key] = dns.tsigkeyring.from_text(
            {name: (algorithm, secret) for name, (algorithm, secret) in keys.items()}
        )

    def __bool__(self) -> bool:
        return bool(self._keys)

    def key(self, name: str) -> dns.tsig.Key:
        """The key with this name. Raises KeyError."""
        return self._keys[dns.name.from_text(name)]

    def open(self, message: bytes, refusal: Refusal, now: float) -> Opened | None:
        """Check a signed query, which ``refusal`` refuses; None where it is not signed by a key that is known here.

        Where the signature is not right, the answer is the new refusal that comes with it (RFC 8945, section 5.2).
        """
        try:
            tsig = tsig_of(message)
            rdata = None if tsig is None else _rdata_of(message, tsig)
        except (ValueError, IndexError, struct.error, dns.exception.DNSException):
            return None
        if tsig is None or rdata is None:
            return None
        key = self._keys.get(dns.name.from_wire(tsig.key_name, 0)[0])
        if key is None or key.algorithm != rdata.algorithm:
            return None
        inner = _without(message, tsig, rdata.original_id)
        try:
            dns.tsig.validate(message, key, key.name, rdata, int(now), b"", tsig.at)
        except dns.tsig.BadTime:
            signer = Signer(key, rdata.mac, rdata.time_signed, int(now).to_bytes(6, "big"))
            return Opened(inner, "", signer, _refused(refusal))
        except (dns.exception.DNSException, ValueError):
            return Opened(inner, "", None, _refused(refusal, tsig_error(tsig, _BADSIG)))
        return Opened(inner, key.name.to_text(True).lower(), Signer(key, rdata.mac))


class Opened(NamedTuple):
    """A signed query: the ``message`` as it was before, the name of the ``key`` that it is proven to be signed by.

    What answers it is signed by ``signer``, if there is one. ``refusal`` is the answer where the signature is wrong.
    """

    message: bytes
    key: str
    signer: Signer | None
    refusal: Refusal | None = None


class Signer:
    """Signs a query, or what answers the one that has ``request_mac``: a message, or many one after the other.

    ``time_signed`` (epoch seconds) and ``server_time`` (as the field has it) are those of an error BADTIME.
    """

    def __init__(
        self, key: dns.tsig.Key, request_mac: bytes = b"", time_signed: int | None = None, server_time: bytes = b""
    ) -> None:
        self.mac = b""
        """What the last message was signed with."""
        self._key = key
        self._request_mac = request_mac
        self._time_signed = time_signed
        self._server_time = server_time
        self._context: object = None

    def sign(self, message: bytes, now: float, many: bool = False) -> bytes:
        """``message`` with its signature; with ``many`` it is the next of several that answer one query."""
        signed = int(now) if self._time_signed is None else self._time_signed
        id = int.from_bytes(message[:2], "big")
        error = 0 if self._time_signed is None else _BADTIME
        bare = TsigRdata(_ANY, TSIG, self._key.algorithm, signed, FUDGE, b"", id, error, self._server_time)
        rdata, self._context = dns.tsig.sign(message, self._key, bare, signed, self._request_mac, self._context, many)
        self.mac = rdata.mac
        data: bytes = rdata.to_wire()
        record = self._key.name.to_digestable() + RECORD.pack(TSIG, _ANY, 0, len(data)) + data
        return message[:10] + _count(message, 1) + message[HEADER.size :] + record


class Verifier:
    """Checks the messages that answer a query, signed by ``key``, whose signature is ``request_mac``."""

    def __init__(self, key: dns.tsig.Key, request_mac: bytes) -> None:
        self._key = key
        self._request_mac = request_mac
        self._context: object = None
        self.unsigned = 0
        """Messages since the last one that was signed; the last of all has to be (RFC 8945, section 5.3.1)."""

    def open(self, message: bytes, now: float) -> bytes:
        """The next message, without its signature if it has one. Raises :class:`SignatureError`."""
        try:
            tsig = tsig_of(message)
            if tsig is None:
                return self._pass(message)
            rdata = _rdata_of(message, tsig)
            owner = dns.name.from_wire(tsig.key_name, 0)[0]
            self._context = dns.tsig.validate(
                message, self._key, owner, rdata, int(now), self._request_mac, tsig.at, self._context, True
            )
        except (ValueError, IndexError, struct.error):
            raise SignatureError("it cannot be read") from None
        except dns.exception.DNSException as error:
            raise SignatureError(str(error).rstrip(".")) from None
        self.unsigned = 0
        return _without(message, tsig, rdata.original_id)

    def _pass(self, message: bytes) -> bytes:
        self.unsigned += 1
        if not isinstance(self._context, dns.tsig.HMACTSig) or self.unsigned > MOST_UNSIGNED:
            raise SignatureError("it is not signed")
        self._context.update(message)
        return message


def _rdata_of(message: bytes, tsig: Tsig) -> TsigRdata:
    at = skip_name(message, tsig.at)
    size = RECORD.unpack_from(message, at)[3]
    found = dns.rdata.from_wire(dns.rdataclass.ANY, dns.rdatatype.TSIG, message, at + RECORD.size, size)
    assert isinstance(found, TsigRdata)
    return found


def _without(message: bytes, tsig: Tsig, id: int) -> bytes:
    """``message`` as it was before it was signed (RFC 8945, section 4.3.2)."""
    return id.to_bytes(2, "big") + message[2:10] + _count(message, -1) + message[HEADER.size : tsig.at]


def _count(message: bytes, change: int) -> bytes:
    return _ARCOUNT.pack(_ARCOUNT.unpack_from(message, 10)[0] + change)


def _refused(refusal: Refusal, signature: bytes = b"") -> Refusal:
    return Refusal(Rcode.NOTAUTH, refusal.id, refusal.flags, refusal.query, signature=signature)
