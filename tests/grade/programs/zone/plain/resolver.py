import socket
import sys
import time

port, parent_ip, parent_port, remembered = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", port))
cache = {}


def ask(name, address):
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(5)
    asking.sendto(name.encode(), address)
    reply = asking.recv(1024)
    asking.close()
    fields = reply.decode().strip().split(",")
    if len(fields) == 3 and fields[2] == "NS":
        host, _, port = fields[1].partition(":")
        return ask(name, (host, int(port)))
    return reply


while True:
    data, client = server.recvfrom(1024)
    name = data.decode().strip()
    if name not in cache or time.time() - cache[name][1] > remembered:
        cache[name] = (ask(name, (parent_ip, parent_port)), time.time())
    server.sendto(cache[name][0], client)
