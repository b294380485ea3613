"""A client of information lines: HOST PORT NAME…"""

import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(10)
for name in sys.argv[3:]:
    sock.sendto(name.encode(), (sys.argv[1], int(sys.argv[2])))
    print(sock.recvfrom(1024)[0].decode().split(",")[1], flush=True)
