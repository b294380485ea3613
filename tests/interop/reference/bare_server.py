"""A command server of TIME and IP: PORT."""

import socket
import sys
import time

sock = socket.socket()
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, addr = sock.accept()
    while data := conn.recv(1024):
        text = data.decode().strip()
        if text == "EXIT":
            break
        if text == "TIME":
            conn.sendall(time.ctime().encode())
        elif text == "IP":
            conn.sendall(addr[0].encode())
    conn.close()
