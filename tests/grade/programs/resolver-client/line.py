import socket
import sys

for line in sys.stdin:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((sys.argv[1], int(sys.argv[2])))
        client.send(line.strip().encode() + b"\n")
        print(client.recv(1024).decode().split(",")[1], flush=True)
