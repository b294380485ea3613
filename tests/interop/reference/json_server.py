"""A server of the transcript: PORT FILE."""

import json
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
    if name in table:
        reply = json.dumps([name, table[name][0], table[name][1], "0", 1605280488.749312])
    else:
        reply = "[]"
    sock.sendto(reply.encode(), addr)
