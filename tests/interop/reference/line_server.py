"""A server of information lines: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        name, ip, ttl = line.strip().split(",")
        table[name] = ip, ttl
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(sock.getsockname()[1], flush=True)
while True:
    data, addr = sock.recvfrom(1024)
    name = data.decode().strip()
    ip, ttl = table.get(name, ("not found", "0"))
    sock.sendto(f"{name},{ip},{ttl}".encode(), addr)
