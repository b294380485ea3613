import socket
import sys
import time

with socket.create_server(("", int(sys.argv[1]))) as welcome:
    ended = False
    while not ended:
        client, (host, port) = welcome.accept()
        with client:
            client.sendall(f"{host} {port}\r\n".encode())
            waiting = b""
            until = time.monotonic() + 15
            while not ended:
                while b"\n" not in waiting:
                    client.settimeout(max(until - time.monotonic(), 0.001))
                    try:
                        data = client.recv(100)
                    except OSError:
                        data = b""
                    if not data:
                        break
                    waiting += data
                if b"\n" not in waiting:
                    break
                line, waiting = waiting.split(b"\n", 1)
                until = time.monotonic() + 15
                if line.strip() == b"EXIT":
                    ended = True
                elif line.strip() == b"TIME":
                    client.sendall(time.ctime().encode() + b"\r\n")
                else:
                    client.sendall(b"Invalid command!\r\n")
