"""A server of an id and text: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        name, kind, data = line.split()
        table[name, kind] = data
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(sock.getsockname()[1], flush=True)
while True:
    data, addr = sock.recvfrom(1024)
    name, kind = data[2:].decode().split()
    if (name, kind) in table:
        text = f"QUESTION\n{name} {kind}\n\nANSWER\n{name} {kind} {table[name, kind]}\n\nAUTHORITY\n\nADDITIONAL\n"
        sock.sendto(data[:2] + text.encode(), addr)
