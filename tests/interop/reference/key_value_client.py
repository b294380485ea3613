"""A client of KEY=VALUE fields: HOST PORT NAME…"""

import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(10)
for name in sys.argv[3:]:
    name, _, ip = name.partition("=")  # NAME=IP registers
    asks = f"TYPE=A\nNAME={name} VALUE={ip} TTL=10\n" if ip else f"TYPE=A\nNAME={name}\n"
    sock.sendto(asks.encode(), (sys.argv[1], int(sys.argv[2])))
    fields = dict(field.split("=") for field in sock.recvfrom(1024)[0].decode().split())
    print(fields.get("VALUE") or fields["STATUS"], flush=True)
