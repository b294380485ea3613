import os
import socket
import sys
import threading
import time

one_at_a_time = threading.Lock()
welcome = socket.socket()
welcome.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
welcome.bind(("0.0.0.0", int(sys.argv[1])))
welcome.listen(50)


def serve(client, address):
    with one_at_a_time:
        client.settimeout(15)
        client.sendall(str(address).encode())
        while True:
            try:
                command = client.recv(4096)
            except OSError:
                break
            if not command:
                break
            if command.strip() == b"EXIT":
                client.close()
                welcome.close()
                os._exit(0)
            reply = time.ctime() if command.strip() == b"TIME" else "Invalid command!"
            client.sendall(reply.encode())
        client.close()


while True:
    threading.Thread(target=serve, args=welcome.accept(), daemon=True).start()
