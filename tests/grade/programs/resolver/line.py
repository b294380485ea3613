import select
import socket
import sys
import time

port, parent, path = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3])), sys.argv[4]
with open(path) as file:
    lines = [line.strip() for line in file]
static, learned = {}, {}
for line in lines:
    fields = line.split(",")
    if len(fields) == 3:
        static[fields[0]] = line
    elif len(fields) == 5:
        learned[fields[0]] = (",".join(fields[:3]), float(fields[4]), int(fields[2]))
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", port))
upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
upstream.bind(("0.0.0.0", 0))
waiting = {}


def save():
    with open(path, "w") as out:
        out.writelines(line + "\n" for line in static.values())
        out.writelines(f"{line},1,{since}\n" for line, since, _ in learned.values())


while True:
    for ready in select.select([server, upstream], [], [])[0]:
        data, source = ready.recvfrom(4096)
        text = data.decode().strip()
        if ready is upstream:
            name = text.split(",")[0]
            if source == parent and name in waiting:
                learned[name] = (text, time.time(), int(text.split(",")[2]))
                save()
                for client in waiting.pop(name):
                    server.sendto(text.encode() + b"\n", client)
            continue
        if text in learned and time.time() > learned[text][1] + learned[text][2]:
            del learned[text]
        if text in static:
            server.sendto(static[text].encode() + b"\n", source)
        elif text in learned:
            server.sendto(learned[text][0].encode() + b"\n", source)
        elif parent[1] != -1:
            waiting.setdefault(text, []).append(source)
            upstream.sendto(data, parent)
