"""A server with a table of hosts: PORT FILE."""

import socket
import sys

table = {}
for line in open(sys.argv[2]):
    if line.strip():
        table[line.split()[0].lower()] = line.strip()
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    conn, _ = sock.accept()
    while data := conn.recv(1024):
        text = data.decode().strip()
        reply = table.get(text.lower())
        if reply is None:  # the last line may name the server that knows more
            others = [line for line in table.values() if line.endswith("- NS")]
            reply = others[0] if others else f"{text} - Error:HOST NOT FOUND"
        conn.sendall(reply.encode())
    conn.close()
