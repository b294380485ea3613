"""TLS handshakes as far as they are in the clear: hellos, the server's name, suites, versions, the certificate's name.

RFC 8446 and RFC 5246; a message that goes on in the next segment is read as far as this one has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labnet.capture.model import Field, Layer

HANDSHAKE: Final = 22
_CHANGE_CIPHER: Final = 20
_RECORDS: Final = {20: "Change Cipher Spec", 21: "Alert", HANDSHAKE: "Handshake", 23: "Application Data"}
_MESSAGES: Final = {
    1: "Client Hello", 2: "Server Hello", 4: "New Session Ticket", 8: "Encrypted Extensions", 11: "Certificate",
    12: "Server Key Exchange", 13: "Certificate Request", 14: "Server Hello Done", 16: "Client Key Exchange",
    20: "Finished",
}  # fmt: skip
VERSIONS: Final = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_SUITES: Final = {
    0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256", 0xC02B:
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xC02F:
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xCCA8:
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0x002F:
    "TLS_RSA_WITH_AES_128_CBC_SHA", 0x0035: "TLS_RSA_WITH_AES_256_CBC_SHA", 0x009C: "TLS_RSA_WITH_AES_128_GCM_SHA256",
    0x009D: "TLS_RSA_WITH_AES_256_GCM_SHA384", 0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
}  # fmt: skip
_SERVER_NAME, _SUPPORTED_VERSIONS = 0, 43
_COMMON_NAME: Final = b"\x06\x03\x55\x04\x03"
"""The object identifier 2.5.4.3 in DER: a certificate has it in its issuer and in its subject, in that order."""


def looks_like_tls(data: bytes) -> bool:
    """Whether a segment begins with a TLS record."""
    return len(data) > 5 and data[0] in _RECORDS and data[1] == 3 and data[2] <= 4


def read_records(data: bytes, at: int) -> tuple[Layer, str]:
    """The layer of the records in ``data``, and their kinds in words; ``at`` is where ``data`` begin in the frame."""
    layer = Layer("tls", "Transport Layer Security", at, len(data))
    is_encrypted = False
    named: list[str] = []
    start = 0
    while start + 5 <= len(data) and data[start] in _RECORDS:
        end = start + 5 + int.from_bytes(data[start + 3 : start + 5], "big")
        _add(layer, data, at, "tls.record.content_type", "Content type", start, 1, _RECORDS)
        _add(layer, data, at, "tls.record.version", "Record version", start + 1, 2, VERSIONS)
        _add(layer, data, at, "tls.record.length", "Length", start + 3, 2, {})
        is_encrypted |= data[start] == _CHANGE_CIPHER
        if data[start] == HANDSHAKE and not is_encrypted and _is_message(data, start + 5, end):
            named.extend(_messages(layer, data[:end], at, start + 5))
        else:
            named.append(_RECORDS[data[start]])
        start = end
    return layer, ", ".join(dict.fromkeys(named)) or "continuation"


def _is_message(data: bytes, start: int, end: int) -> bool:
    """Whether a handshake record begins with a message in the clear: what is encrypted has no length that fits."""
    length = int.from_bytes(data[start + 1 : start + 4], "big")
    return start + 4 <= len(data) and data[start] in _MESSAGES and (start + 4 + length <= end or data[start] == 11)


def _messages(layer: Layer, data: bytes, at: int, start: int) -> Iterator[str]:
    while start + 4 <= len(data) and data[start] in _MESSAGES:
        end = start + 4 + int.from_bytes(data[start + 1 : start + 4], "big")
        kind = data[start]
        _add(layer, data, at, "tls.handshake.type", "Handshake type", start, 1, _MESSAGES)
        yield _MESSAGES[kind]
        if kind in (1, 2):
            _hello(layer, data[:end], at, start + 4, is_client=kind == 1)
        elif kind == 11:
            _certificate(layer, data[:end], at, start + 4)
        start = end


def _hello(layer: Layer, data: bytes, at: int, start: int, is_client: bool) -> None:
    _add(layer, data, at, "tls.handshake.version", "Version", start, 2, VERSIONS)
    session = start + 34
    if session >= len(data):
        return
    suites = session + 1 + data[session]
    if is_client:
        count = int.from_bytes(data[suites : suites + 2], "big") // 2
        for number in range(min(count, 200)):
            _add(layer, data, at, "tls.handshake.ciphersuite", "Cipher suite", suites + 2 + 2 * number, 2, _SUITES)
        methods = suites + 2 + 2 * count
        extensions = methods + 1 + data[methods] if methods < len(data) else len(data)
    else:
        _add(layer, data, at, "tls.handshake.ciphersuite", "Cipher suite", suites, 2, _SUITES)
        extensions = suites + 3
    for kind, first, last in _extensions(data, extensions):
        if kind == _SERVER_NAME and is_client and last - first > 5:
            name = data[first + 5 : last].decode(errors="replace")
            layer.fields.append(
                Field(
                    "tls.handshake.extensions_server_name", "Server name", at + first + 5, last - first - 5, name, name
                )
            )
        elif kind == _SUPPORTED_VERSIONS:
            for place in range(first + 1, last - 1, 2) if is_client else (first,):
                name = "tls.handshake.extensions.supported_version"
                _add(layer, data, at, name, "Supported version", place, 2, VERSIONS)


def _extensions(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each extension that is here whole."""
    start += 2
    while start + 4 <= len(data):
        kind, length = (
            int.from_bytes(data[start : start + 2], "big"),
            int.from_bytes(data[start + 2 : start + 4], "big"),
        )
        if start + 4 + length > len(data):
            return
        yield kind, start + 4, start + 4 + length
        start += 4 + length


def _certificate(layer: Layer, data: bytes, at: int, start: int) -> None:
    """The common name of the first certificate's subject."""
    first = start + 6
    end = first + int.from_bytes(data[start + 3 : first], "big")
    places = []
    place = data.find(_COMMON_NAME, first, min(end, len(data)))
    while place >= 0:
        places.append(place)
        place = data.find(_COMMON_NAME, place + 1, min(end, len(data)))
    if len(places) < 2 and places:
        places.append(places[0])
    if places:
        text = places[1] + len(_COMMON_NAME)
        length = data[text + 1] if text + 1 < len(data) else 0
        name = data[text + 2 : text + 2 + length].decode(errors="replace")
        layer.fields.append(Field("x509sat.uTF8String", "Certificate's name", at + text + 2, length, name, name))


def _add(
    layer: Layer, data: bytes, at: int, name: str, title: str, start: int, size: int, known: dict[int, str]
) -> None:
    if start + size <= len(data):
        value = int.from_bytes(data[start : start + size], "big")
        shown = f"{known[value]} (0x{value:04x})" if value in known and size > 1 else known.get(value, "")
        number = f"0x{value:04x}" if size > 1 and known else str(value)
        layer.fields.append(Field(name, title, at + start, size, value, shown or number))
