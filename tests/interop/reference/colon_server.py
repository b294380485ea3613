"""A root server of names and addresses by colons: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        name, ip = line.strip().split(":")
        table[name] = ip
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, _ = sock.accept()
    while data := conn.recv(1024):
        text = data.decode().strip()
        if text == "hangup":
            break
        conn.sendall(f"Root DNS:{text}:{table[text]}".encode() if text in table else b"Host Not Found")
    conn.close()
