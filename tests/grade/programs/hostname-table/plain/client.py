import socket
import sys

root = socket.create_connection((sys.argv[1], int(sys.argv[2])))
top = None
with open("PROJI-HNS.txt") as names, open("RESOLVED.txt", "w") as out:
    for line in names:
        host = line.strip()
        if not host:
            continue
        root.send(host.encode())
        reply = root.recv(200).decode().strip()
        if reply.endswith("NS"):
            if top is None:
                top = socket.create_connection((reply.split()[0], int(sys.argv[3])))
            top.send(host.encode())
            reply = top.recv(200).decode().strip()
        out.write(reply + "\n")
