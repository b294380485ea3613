import socket
import sys

with open(sys.argv[2]) as file:
    lines = [line.strip().split(",") for line in file if line.strip()]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", int(sys.argv[1])))
while True:
    data, client = server.recvfrom(1024)
    name = data.decode().strip()
    found = [line for line in lines if line[2] == "A" and line[0] == name]
    if not found:
        found = [line for line in lines if line[2] == "NS" and name.endswith(line[0])]
    server.sendto(",".join(found[0]).encode() if found else b"non-existent domain", client)
