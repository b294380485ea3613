"""A command client of ECHO: HOST PORT COMMAND…"""

import socket
import sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
lines = conn.makefile("r")
for text in sys.argv[3:]:
    conn.sendall(text.encode() + b"\n")
    print(lines.readline().rstrip("\n"), flush=True)
conn.sendall(b"QUIT\n")
assert lines.readline() == ""
