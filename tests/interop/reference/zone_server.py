"""A server of zones with NS lines: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        table[line.split(",")[0]] = line.strip()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(sock.getsockname()[1], flush=True)
while True:
    data, addr = sock.recvfrom(1024)
    name = data.decode().strip()
    reply = table.get(name)
    for suffix, line in table.items():
        if reply is None and line.endswith(",NS") and name.endswith(suffix):
            reply = line
    sock.sendto((reply or "non-existent domain").encode(), addr)
