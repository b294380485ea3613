"""A server of flagged messages: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        name, ip = line.split()
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
        _, name, number, wish = text.split()
        if name in table:
            reply = f"1 {name} {table[name]} {number} aa"
        elif wish == "it" and name.split(".")[-1] in table:
            reply = f"1 {name} {table[name.split('.')[-1]]} {number} ns"
        else:
            reply = f"1 {name} 0.0.0.0 {number} nx"
        conn.sendall(reply.encode())
    conn.close()
