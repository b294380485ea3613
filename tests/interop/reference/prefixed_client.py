"""A command client of a length in two digits: HOST PORT COMMAND…"""

import socket
import sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for text in (*sys.argv[3:], "EXIT"):
    conn.sendall(f"{len(text):02d}{text}".encode())
    length = int(conn.recv(2))
    reply = conn.recv(length).decode()
    assert len(reply) == length
    print(reply, flush=True)
