"""A client of names and addresses by colons: HOST PORT NAME…"""

import socket
import sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for name in sys.argv[3:]:
    conn.sendall(name.encode())
    print(conn.recv(1024).decode(), flush=True)
conn.sendall(b"hangup")
assert conn.recv(1024) == b""
