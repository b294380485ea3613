import selectors
import socket
import sys
import time

selector = selectors.DefaultSelector()
welcome = socket.socket()
welcome.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
welcome.bind(("", int(sys.argv[1])))
welcome.listen(16)
selector.register(welcome, selectors.EVENT_READ)
client = None
deadline = 0.0


def leave():
    global client
    selector.unregister(client)
    client.close()
    client = None
    selector.register(welcome, selectors.EVENT_READ)


while True:
    if not selector.select(1.0 if client is None else max(0.0, min(1.0, deadline - time.monotonic()))):
        if client is not None and time.monotonic() >= deadline:
            leave()
        continue
    if client is None:
        client, address = welcome.accept()
        selector.unregister(welcome)
        selector.register(client, selectors.EVENT_READ)
        deadline = time.monotonic() + 15
        client.sendall(f"MESSAGE!!! ----> We are now connected to {address}\n".encode())
        continue
    try:
        data = client.recv(1024)
    except OSError:
        data = b""
    if not data:
        leave()
    elif data.strip() == b"TIME":
        deadline = time.monotonic() + 15
        client.sendall(time.ctime().encode())
    elif data.strip() == b"EXIT":
        client.close()
        welcome.close()
        break
    else:
        deadline = time.monotonic() + 15
        client.sendall(b"WARNING!!! ----> Please enter a valid command!\n")
