"""A command server of a length in two digits: PORT."""

import random
import socket
import sys
import time

sock = socket.socket()
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, addr = sock.accept()
    while length := conn.recv(2):
        text = conn.recv(int(length)).decode()
        if text == "EXIT":
            conn.sendall(b"03Bye")
            break
        reply = {"TIME": time.ctime(), "NAME": "reference", "RAND": str(random.randint(1, 10))}.get(
            text, "Wrong command"
        )
        conn.sendall(f"{len(reply):02d}{reply}".encode())
    conn.close()
