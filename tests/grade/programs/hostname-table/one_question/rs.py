import socket
import sys

table = {}
with open("PROJI-DNSRS.txt") as file:
    for line in file:
        if line.strip():
            table[line.split()[0].lower()] = line.strip()
referral = next(line for line in table.values() if line.endswith("NS"))
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", int(sys.argv[1])))
server.listen(5)
while True:
    client, _ = server.accept()
    data = client.recv(200)
    if data:
        host = data.decode().strip()
        if host:
            client.send(table.get(host.lower(), referral).encode())
    client.close()
