"""A client of an id and text: HOST PORT NAME…"""

import os
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(1)
for name in sys.argv[3:]:
    asked = os.urandom(2)
    sock.sendto(asked + f"{name} A".encode(), (sys.argv[1], int(sys.argv[2])))
    try:
        data = sock.recvfrom(2048)[0]
    except TimeoutError:
        print("timed out", flush=True)
        continue
    assert data[:2] == asked
    answer = data[2:].decode().partition("ANSWER\n")[2].partition("AUTHORITY")[0].split()
    print(answer[-1] if answer else "no answer", flush=True)
