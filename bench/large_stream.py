"""A load: one question over one TCP connection, so many in flight; dnsperf gives up a reply as large as these.

``python -m bench.large_stream PORT NAME WINDOW SECONDS`` prints how many were answered, how many of them wrong.
"""

from __future__ import annotations

import json
import socket
import sys
import time

_READ = 1 << 20


def main() -> None:
    port, name, window, seconds = sys.argv[1:]
    wire = b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    query = b"\0\7\1\0\0\1\0\0\0\0\0\0" + wire + b"\0\1\0\1"
    framed = len(query).to_bytes(2, "big") + query
    answered = bad = 0
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as sock:
        began = time.monotonic()
        sock.sendall(framed * int(window))
        received = bytearray()
        while time.monotonic() < began + float(seconds):
            received += sock.recv(_READ)
            done = 0
            while len(received) > 1 and (end := 2 + int.from_bytes(received[:2], "big")) <= len(received):
                done += 1
                bad += received[5] & 15 != 0 or received[8:10] == b"\0\0"  # the RCODE, the number of records
                del received[:end]
            answered += done
            sock.sendall(framed * done)
        took = time.monotonic() - began
    print(json.dumps({"answered": answered, "bad": bad, "lost": 0, "qps": answered / took}))


if __name__ == "__main__":
    main()
