import socket
import sys
import time

welcome = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
welcome.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
welcome.bind(("", int(sys.argv[1])))
welcome.listen(5)
running = True
while running:
    client, address = welcome.accept()
    client.settimeout(15)
    greeting = f"Connected: your IP address is {address[0]} and your port is {address[1]}\n"
    client.send(greeting.encode())
    try:
        while True:
            data = client.recv(1024)
            if not data:
                break
            command = data.strip()
            if command == b"TIME":
                client.send((time.ctime() + "\n").encode())
            elif command == b"EXIT":
                running = False
                break
            else:
                client.send(b"Invalid command!\n")
    except OSError:
        pass
    client.close()
welcome.close()
