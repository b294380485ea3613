"""A server of KEY=VALUE fields: PORT FILE."""

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
    fields = dict(field.split("=") for field in data.decode().split())
    if "VALUE" in fields:
        table[fields["NAME"]] = fields["VALUE"]
        reply = "STATUS=OK\n"
    elif fields["NAME"] in table:
        reply = f"TYPE=A\nNAME={fields['NAME']} VALUE={table[fields['NAME']]} TTL=10\n"
    else:
        reply = "STATUS=NOT_FOUND\n"
    sock.sendto(reply.encode(), addr)
