"""A secondary whose primaries send anything but the zone, all but the last one."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype

from labnet.wire.tsig import Signer
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_peers import LOOPBACK, free_port
from tests.interop.plain import Address
from tests.resolver.dnsfakes import framed
from tests.resolver.transfers.primary import KEY, SECRET
from tests.resolver.transfers.test_incoming import a, message, soa

WRONG, RIGHT = 66, 1
"""The last byte of the address in versions that are not whole, and in the one that is."""

Behaviour = Callable[[dns.message.Message], bytes]
"""What a primary sends to a question, before it closes."""


def stream(asked: dns.message.Message, *messages: list[str], key: bool = True, id: int = 0) -> bytes:
    """Messages with these records, signed."""
    signer, sent = Signer(KEY, asked.mac or b""), b""
    for records in messages:
        bare = message(*records, id=asked.id ^ id)
        sent += framed(signer.sign(bare, time.time(), many=True) if key else bare)
    return sent


def evil(serial: int = 99) -> list[list[str]]:
    """A zone that nobody is to believe in."""
    return [[soa(serial), a("www", WRONG)], [a("more", WRONG), soa(serial)]]


def cut(asked: dns.message.Message, share: float) -> bytes:
    """The beginning of it."""
    whole = stream(asked, *evil())
    return whole[: int(len(whole) * share)]


def damaged(asked: dns.message.Message) -> bytes:
    """All of it, with another letter in the second message."""
    return stream(asked, *evil()).replace(b"\4more", b"\4mare")


HOSTILE: dict[str, Behaviour] = {
    "nothing": lambda asked: b"",
    "half a length": lambda asked: b"\1",
    "a length of nothing": lambda asked: b"\0\0" * 3,
    "cut early": lambda asked: cut(asked, 0.2),
    "cut in the middle": lambda asked: cut(asked, 0.5),
    "cut before the end": lambda asked: cut(asked, 0.99),
    "damaged": damaged,
    "not signed": lambda asked: stream(asked, *evil(), key=False),
    "signed at first": lambda asked: stream(asked, evil()[0]) + stream(asked, evil()[1], key=False),
    "out of order": lambda asked: stream(asked, *reversed(evil())),
    "ends with another serial": lambda asked: stream(asked, evil()[0], evil(98)[1]),
    "another question": lambda asked: stream(asked, *evil(), id=1),
    "more behind the end": lambda asked: stream(asked, [*evil()[0], *evil()[1], a("x", WRONG)]),
    "changes of nothing": lambda asked: stream(asked, [soa(99), soa(98), a("x", 1), soa(99), a("x", WRONG), soa(99)]),
    "changes that do not fit": lambda asked: stream(asked, [soa(99), soa(5), a("x", 1), soa(99), a("x", 2), soa(99)]),
    "no records": lambda asked: stream(asked, []),
    "a web page": lambda asked: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "noise": lambda asked: framed(bytes(range(256)) * 200),
}  # fmt: skip


class ScriptedPrimary:
    """A server by TCP that answers each connection's question as ``behave`` says."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked = 0
        self._welcome = socket.create_server((LOOPBACK, 0))
        self.port = int(self._welcome.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._welcome.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE)
                try:
                    size = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
                    asked = dns.message.from_wire(connection.recv(size, socket.MSG_WAITALL), keyring=False)
                    self.asked += 1
                    connection.sendall(self.behave(asked))
                except OSError:
                    continue  # it has hung up: what was sent was wrong already

    def close(self) -> None:
        """Accept nobody any more."""
        self._welcome.shutdown(socket.SHUT_RDWR)
        self._welcome.close()


@contextmanager
def scripted(behave: Behaviour) -> Iterator[ScriptedPrimary]:
    """A primary for the ``with`` block."""
    primary = ScriptedPrimary(behave)
    try:
        yield primary
    finally:
        primary.close()


def address_of(server: Address, name: str) -> str:
    """The address that a server has for a name, or the RCODE."""
    reply = dns.query.udp(dns.message.make_query(name, "A"), server[0], DEADLINE, server[1])
    return reply.answer[0][0].to_text() if reply.answer else dns.rcode.to_text(reply.rcode())


def test_no_hostile_primary_has_anything_of_its_zone_served(tmp_path: Path) -> None:
    """Each of them is asked, for the whole zone and for changes, and what the last one says is what counts."""
    versions = {5: RIGHT}

    def right(asked: dns.message.Message) -> bytes:
        serial, last = max(versions.items())
        return stream(asked, [soa(serial), a("www", last)], [soa(serial)])

    with ExitStack() as stack:
        hostile = [stack.enter_context(scripted(behave)) for behave in HOSTILE.values()]
        good = stack.enter_context(scripted(right))
        places = [f"{LOOPBACK}:{primary.port} key:key.lab" for primary in (*hostile, good)]
        port = free_port()
        (tmp_path / "lab.toml").write_text(
            f'[lab]\nstate = "var"\n[key."key.lab"]\nsecret = "{base64.b64encode(SECRET).decode()}"\n'
            f'[resolver.main]\nlisten = "udp:{port}"\nparents = []\nrate_limit = 0\n'
            f'[resolver.main.secondary]\n"lab.test" = {places}\n'
        )
        daemon = stack.enter_context(Daemon("labnet", "--config=lab.toml", cwd=tmp_path))
        server = daemon.address("resolver main")
        seen = set()
        for serial, last in ((5, RIGHT), (6, 2)):
            versions[serial] = last
            if serial > 5:
                query = dns.message.make_query("lab.test", "SOA")
                query.set_opcode(4)
                dns.query.udp(_signed(query), server[0], DEADLINE, server[1])
            until = time.monotonic() + DEADLINE
            while (found := address_of(server, "www.lab.test")) != f"192.0.2.{last}":
                seen.add(found)
                assert time.monotonic() < until, (found, daemon.log)
                time.sleep(0.05)
        assert seen <= {"SERVFAIL", f"192.0.2.{RIGHT}"}
        assert address_of(server, "more.lab.test") == "NXDOMAIN"
        # For the whole zone at first, then for changes, and for the whole zone where those are none.
        assert {name: primary.asked for name, primary in zip(HOSTILE, hostile, strict=True)} == dict.fromkeys(
            HOSTILE, 3
        )


def _signed(query: dns.message.Message) -> dns.message.Message:
    query.use_tsig({KEY.name: KEY})
    return query
