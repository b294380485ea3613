"""A command server of JAM: PORT."""

import socket
import sys
import time

sock = socket.socket()
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, addr = sock.accept()
    lines = conn.makefile("rb")
    while line := lines.readline():
        if line == b"QUIT\r\n":
            break
        conn.sendall(time.strftime("JAM %H:%M:%S\r\n").encode() if line == b"TIME\r\n" else b"ERROR\r\n")
    lines.close()
    conn.close()
