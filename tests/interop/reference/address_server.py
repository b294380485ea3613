"""A server of bare addresses: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        name, ip = line.strip().split(",")[:2]
        table[name] = ip
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(sock.getsockname()[1], flush=True)
while True:
    data, addr = sock.recvfrom(1024)
    sock.sendto(table.get(data.decode().strip(), "not found").encode(), addr)
