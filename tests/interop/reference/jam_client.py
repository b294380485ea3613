"""A command client of JAM: HOST PORT COMMAND…"""

import socket
import sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
lines = conn.makefile("rb")
for text in sys.argv[3:]:
    conn.sendall(text.encode() + b"\r\n")
    print(lines.readline().decode().strip(), flush=True)
conn.sendall(b"QUIT\r\n")
assert lines.readline() == b""
