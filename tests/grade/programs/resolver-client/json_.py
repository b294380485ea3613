import json
import socket
import sys

print("trying to connect to server...")
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    name = input("Type your web address and get its ip address:")
    client.sendto(name.encode(), (sys.argv[1], int(sys.argv[2])))
    reply = json.loads(client.recv(1024).decode())
    print(reply[1] if reply else "not found")
