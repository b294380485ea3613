"""Questions by DNS over HTTPS in HTTP/2, over one connection, in a closed loop: ``PORT QUESTIONS WINDOW SECONDS``.

dnsperf loses what comes with another response, so it cannot load a server that answers several at once. Every name is
asked for by POST, as curl does, and by GET, as a browser does whose template has ``{?dns}``. The header fields are
those of a client: Huffman codes, and after the first requests the compression's table for all but a target.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from itertools import chain, cycle

import dns.message
from hpack import Encoder, NeverIndexedHeaderTuple

from labnet.wire.web.doh import MESSAGE, PATH, target_of

_SERVER = [(":scheme", "https"), (":authority", "localhost")]
_CLIENT = [("accept", MESSAGE), ("user-agent", "doh_stream")]
_LARGEST = 2**31 - 1

_Request = tuple[bytes, bytes]
"""Header fields and a body, which is empty in a GET."""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!HBBBI", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


def _requests(path: str) -> Iterator[_Request]:
    """The requests without end, to be sent in this order."""
    with open(path, encoding="ascii") as file:
        names = [line.split()[0] for line in file]
    encoder = Encoder()

    def by_post(message: bytes) -> _Request:
        body = [("content-type", MESSAGE), NeverIndexedHeaderTuple("content-length", str(len(message)))]
        return encoder.encode([(":method", "POST"), (":path", PATH), *_SERVER, *_CLIENT, *body]), message

    def by_get(message: bytes) -> _Request:
        target = NeverIndexedHeaderTuple(":path", target_of(PATH, message))
        return encoder.encode([(":method", "GET"), target, *_SERVER, *_CLIENT]), b""

    messages = [dns.message.make_query(name, "A", id=0).to_wire() for name in names]
    first = [by_post(messages[0]), by_get(messages[0])]  # they fill the table
    return chain(first, cycle([ask(message) for message in messages for ask in (by_post, by_get)]))


def _loaded(tls: ssl.SSLSocket, requests: Iterator[_Request], window: int, seconds: float) -> tuple[int, int]:
    """How many were answered in so many ``seconds``, and how many of those not as they should."""
    settings = struct.pack("!HIHI", 1, 0, 4, _LARGEST)
    tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, settings))
    tls.sendall(_frame(8, 0, 0, struct.pack("!I", _LARGEST - 65535)))
    stream, in_flight, answered, bad = -1, 0, 0, 0
    received = b""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        fresh = []
        while in_flight < window:
            stream += 2
            in_flight += 1
            fields, body = next(requests)
            fresh.append(_frame(1, 4 if body else 5, stream, fields))
            if body:
                fresh.append(_frame(0, 1, stream, body))
        tls.sendall(b"".join(fresh))
        while in_flight > window // 2:
            received += tls.recv(65536)
            at = 0
            while len(received) - at >= 9:
                size = int.from_bytes(received[at : at + 3], "big")
                if len(received) - at < 9 + size:
                    break
                kind, flags, body = received[at + 3], received[at + 4], received[at + 9 : at + 9 + size]
                at += 9 + size
                if kind == 4 and not flags & 1:
                    tls.sendall(_frame(4, 1, 0, b""))
                elif kind == 0 and flags & 1:
                    answered += 1
                    in_flight -= 1
                    bad += len(body) > 0 and (body[3] & 15 != 0 or body[7] == 0)
                elif kind in (3, 7):
                    raise SystemExit("the server ends what it was asked")
            received = received[at:]
    return answered, bad


def main() -> None:
    port, questions, window, seconds = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", int(port))) as sock, context.wrap_socket(sock) as tls:
        tls.settimeout(5)
        answered, bad = _loaded(tls, _requests(questions), int(window), float(seconds))
    print(json.dumps({"answered": answered, "lost": 0, "qps": answered / float(seconds), "bad": bad}))


if __name__ == "__main__":
    main()
