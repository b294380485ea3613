import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    name = input()
    client.sendto(name.encode(), (sys.argv[1], int(sys.argv[2])))
    fields = client.recv(1024).decode().split(",")
    print(fields[1] if len(fields) > 1 else fields[0])
