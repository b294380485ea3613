import socket
import sys

server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("MESSAGE!!! ----> Server Message: " + server.recv(1024).decode())
while True:
    command = input("MESSAGE!!! ----> Please enter a command (TIME or EXIT): ")
    server.send(command.encode())
    if command == "EXIT":
        break
    reply = server.recv(1024)
    if not reply:
        break
    print("MESSAGE!!! ----> Server Response: " + reply.decode())
server.close()
input("MESSAGE!!! ----> Press Enter to exit from the console...")
