"""A command client of TIME and IP: HOST PORT COMMAND…"""

import socket
import sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for text in sys.argv[3:]:
    conn.sendall(text.encode())
    print(conn.recv(1024).decode(), flush=True)
conn.sendall(b"EXIT")
assert conn.recv(1024) == b""
