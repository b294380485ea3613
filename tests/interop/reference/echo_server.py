"""A command server of ECHO: PORT."""

import socket
import sys
import time

sock = socket.socket()
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, addr = sock.accept()
    lines = conn.makefile("r")
    for line in lines:
        word, _, text = line.strip().partition(" ")
        if word in ("CLOSE", "EXIT", "QUIT"):
            break
        conn.sendall({"ECHO": text, "TIME": time.ctime()}.get(word, "Unknown command").encode() + b"\n")
    lines.close()
    conn.close()
