"""A client of flagged messages: HOST PORT WISH NAME…; servers that are named have their port behind."""

import socket
import sys

for number, name in enumerate(sys.argv[4:], 1):
    place = sys.argv[1], int(sys.argv[2])
    while True:
        with socket.create_connection(place) as conn:
            conn.sendall(f"0 {name} {number} {sys.argv[3]}".encode())
            flag, told, ip, told_number, status = conn.recv(1024).decode().split()
        assert (flag, told_number) == ("1", str(number))
        if status != "ns":
            break
        host, _, port = ip.partition(":")
        place = host, int(port or place[1])
    print(ip, status, flush=True)
