import json
import socket
import sys
import time

port, parent_ip, parent_port, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
table = {}
with open(path) as file:
    for line in file:
        fields = line.strip().split(",")
        if len(fields) >= 3:
            learned = len(fields) == 5 and fields[3] == "1"
            table[fields[0]] = [fields[1], int(fields[2]), learned, float(fields[4]) if learned else time.time()]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", port))


def save():
    with open(path, "w") as out:
        for name, (address, ttl, learned, since) in table.items():
            out.write(f"{name},{address},{ttl}" + (f",1,{since}\n" if learned else "\n"))


def ask_parent(name):
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(3)
    try:
        asking.sendto(name.encode(), (parent_ip, parent_port))
        return json.loads(asking.recv(2048).decode())
    except OSError:
        return []
    finally:
        asking.close()


while True:
    question, client = server.recvfrom(2048)
    name = question.decode().strip()
    entry = table.get(name)
    if entry and entry[2] and time.time() - entry[3] > entry[1]:
        del table[name]
        entry = None
    if entry is None and parent_port != -1:
        reply = ask_parent(name)
        if reply:
            entry = table[name] = [reply[1], int(reply[2]), True, time.time()]
            save()
    if entry:
        server.sendto(json.dumps([name, entry[0], str(entry[1]), "1" if entry[2] else "0", entry[3]]).encode(), client)
    else:
        server.sendto(b"[]", client)
