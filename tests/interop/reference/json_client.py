"""A client of the transcript: HOST PORT NAME…"""

import json
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(10)
for name in sys.argv[3:]:
    sock.sendto(name.encode(), (sys.argv[1], int(sys.argv[2])))
    reply = json.loads(sock.recvfrom(1024)[0])
    print(reply[1] if reply else "not found", flush=True)
