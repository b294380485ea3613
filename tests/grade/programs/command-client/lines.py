import socket
import sys
import threading

server = socket.create_connection((sys.argv[1], int(sys.argv[2])))


def show():
    while data := server.recv(1024):
        sys.stdout.write(data.decode(errors="replace"))
        sys.stdout.flush()


threading.Thread(target=show, daemon=True).start()
for line in sys.stdin:
    try:
        server.sendall(line.strip().encode() + b"\n")
    except OSError:
        break
    if line.strip() == "EXIT":
        break
