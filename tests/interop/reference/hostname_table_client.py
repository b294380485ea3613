"""A client of tables of hosts: RS_HOST RS_PORT TS_PORT NAME…"""

import socket
import sys

root = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for name in sys.argv[4:]:
    root.sendall(name.encode())
    reply = root.recv(1024).decode()
    if reply.endswith("NS"):
        with socket.create_connection((reply.split()[0], int(sys.argv[3]))) as other:
            other.sendall(name.encode())
            reply = other.recv(1024).decode()
    print(reply, flush=True)
