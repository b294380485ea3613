import socket
import sys


def ask(host, port, name):
    with socket.create_connection((host, int(port))) as server:
        server.sendall(name.encode())
        return server.recv(200).decode().strip()


lines = []
with open("PROJI-HNS.txt") as names:
    for name in names.read().split():
        reply = ask(sys.argv[1], sys.argv[2], name)
        if reply.endswith(" NS"):
            reply = ask(reply.split()[0], sys.argv[3], name)
        lines.append(reply)
with open("RESOLVED.txt", "w") as out:
    out.write("\n".join(lines))
