"""The zone dialect's three programs: a server with referrals, a resolver that follows them, a client."""

from __future__ import annotations

import time
from typing import Final

from labnet.grade.channels import Datagrams
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed, NotFoundOut
from labnet.grade.patience import PATIENCE
from labnet.grade.scene import HOST, Scene

SERVER_PORT: Final = 55_555
RESOLVER_PORT: Final = 55_777
FILE: Final = "zone.txt"
UNKNOWN: Final = b"non-existent domain"
REMEMBERED: Final = 3
"""X, the seconds that a resolver is told to remember."""

EXACT: Final = "biu.ac.il,1.2.3.4,A"
BELOW: Final = "www.biu.co.il,1.2.3.9,A"
REFERRAL: Final = ".co.il,127.0.0.5:7777,NS"
LAST: Final = "last.org,10.20.30.41,A"
ZONE: Final = (EXACT, REFERRAL, BELOW, LAST)

FAR: Final = "mail.google.co.il,5.6.7.9,A"


def server(scene: Scene, final_newline: bool = True) -> tuple[str, int]:
    """Start the program's server; its address."""
    port = scene.port("server", SERVER_PORT)
    scene.write(FILE, ("\n".join(ZONE) + ("\n" if final_newline else "")).encode())
    scene.start([str(port), FILE], "server", ("udp", port))
    return HOST, port


def ask(scene: Scene, name: str, to: tuple[str, int], client: Datagrams | None = None) -> bytes:
    """The reply to ``name``. Raises Failed where none comes."""
    client = client or scene.datagrams("client")
    client.send(name.encode(), to)
    got = client.receive()
    if got is None:
        raise Failed(f"the question {name} gets no reply within {PATIENCE:.0f} s", crash(scene))
    return got[0]


def expect(name: str, wanted: str, got: bytes, cause: str = "") -> None:
    """Raises Failed where ``got`` is not the line ``wanted``, with or without a newline."""
    if got.rstrip(b"\r\n") != wanted.encode():
        raise Failed(f"the reply to {name} is another one", cause, expected=wanted.encode(), got=got)


def server_listens(scene: Scene) -> None:
    server(scene)


def server_answers(scene: Scene) -> None:
    expect("biu.ac.il", EXACT, ask(scene, "biu.ac.il", server(scene)))


def server_last_line(scene: Scene) -> None:
    expect("last.org", LAST, ask(scene, "last.org", server(scene, final_newline=False)))


def server_refers(scene: Scene) -> None:
    expect("mail.google.co.il", REFERRAL, ask(scene, "mail.google.co.il", server(scene)))


def server_exact_first(scene: Scene) -> None:
    got = ask(scene, "www.biu.co.il", server(scene))
    cause = "the referral is taken before the record of the name itself" if got.strip() == REFERRAL.encode() else ""
    expect("www.biu.co.il", BELOW, got, cause)


def server_suffix(scene: Scene) -> None:
    got = ask(scene, "google.xco.il", server(scene))
    if got.strip() == REFERRAL.encode():
        raise Failed(
            "google.xco.il is referred to the servers of .co.il", "the suffix is compared without its dot", UNKNOWN, got
        )


def server_unknown(scene: Scene) -> None:
    address = server(scene)
    expect("nowhere.org", UNKNOWN.decode(), ask(scene, "nowhere.org", address))
    expect("biu.ac.il", EXACT, ask(scene, "biu.ac.il", address))


class ZoneLab:
    """The program's resolver, with the judge as its client, its parent and the servers that it is referred to."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.parent = scene.datagrams("parent", scene.port("parent", SERVER_PORT))
        self.port = scene.port("resolver", RESOLVER_PORT)
        self.client = scene.datagrams("client")
        arguments = [str(self.port), HOST, str(self.parent.local[1]), str(REMEMBERED)]
        scene.start(arguments, "resolver", ("udp", self.port))

    def ask(self, name: str) -> None:
        self.client.send(name.encode(), (HOST, self.port))

    def asked(self, server: Datagrams, name: str, patience: float = PATIENCE) -> tuple[str, int]:
        """Where the question to ``server`` came from. Raises Failed where there is none for ``name``."""
        got = server.receive(patience)
        if got is None:
            raise Failed(f"{server.who} is not asked for {name}", crash(self.scene))
        if got[0].strip() != name.encode():
            raise Failed(f"{server.who} gets another datagram than the name", expected=name.encode(), got=got[0])
        return got[1]

    def answered(self, line: str) -> None:
        """The client has to get ``line``."""
        got = self.client.receive()
        if got is None:
            raise Failed("the client gets no reply", crash(self.scene))
        expect(line.partition(",")[0], line, got[0])

    def resolve(self, line: str) -> None:
        """Ask for the name of ``line``, which the parent answers."""
        name = line.partition(",")[0]
        self.ask(name)
        self.parent.send(line.encode(), self.asked(self.parent, name))
        self.answered(line)


def resolver_asks(scene: Scene) -> None:
    walk = ZoneLab(scene)
    walk.ask("biu.ac.il")
    walk.asked(walk.parent, "biu.ac.il")


def resolver_answers(scene: Scene) -> None:
    ZoneLab(scene).resolve(EXACT)


def resolver_follows(scene: Scene) -> None:
    walk = ZoneLab(scene)
    first = scene.datagrams("server of .co.il", scene.port("first", 7777), "127.0.0.5")
    second = scene.datagrams("server of .google.co.il", scene.port("second", 8888), "127.0.0.6")
    name = FAR.partition(",")[0]
    walk.ask(name)
    line = f".co.il,127.0.0.5:{first.local[1]},NS"
    walk.parent.send(line.encode(), walk.asked(walk.parent, name))
    early = walk.client.has_input()
    if early:
        raise Failed("the client gets the referral, and the server that it names is not asked")
    line = f".google.co.il,127.0.0.6:{second.local[1]},NS"
    first.send(line.encode(), walk.asked(first, name))
    second.send(FAR.encode(), walk.asked(second, name))
    walk.answered(FAR)


def resolver_remembers(scene: Scene) -> None:
    walk = ZoneLab(scene)
    before = time.monotonic()
    walk.resolve(EXACT)
    walk.ask("biu.ac.il")
    if walk.parent.receive(0.5) is not None:
        if time.monotonic() - before > REMEMBERED - 0.5:
            raise NotFoundOut(f"this machine was too slow to ask within the {REMEMBERED} seconds of an answer")
        raise Failed(f"the parent is asked again at once, although answers are remembered for {REMEMBERED} s")
    walk.answered(EXACT)


def resolver_forgets(scene: Scene) -> None:
    walk = ZoneLab(scene)
    before = time.monotonic()
    walk.resolve(EXACT)
    since = time.monotonic()
    scene.sleep(1.0)
    walk.ask("biu.ac.il")
    if walk.parent.receive(0.3) is not None:
        if time.monotonic() - before > REMEMBERED - 0.5:
            raise NotFoundOut(f"this machine was too slow to ask within the {REMEMBERED} seconds of an answer")
        raise Failed(f"the parent is asked again after 1 s, although answers are remembered for {REMEMBERED} s")
    scene.sleep(REMEMBERED + 1.5 - (time.monotonic() - since))
    walk.client.receive(0.05)
    walk.ask("biu.ac.il")
    changed = "biu.ac.il,9.9.9.8,A"
    got = walk.parent.receive(PATIENCE)
    if got is None:
        raise Failed(f"the parent is not asked again after {REMEMBERED + 1.5:.1f} s; X was {REMEMBERED}")
    walk.parent.send(changed.encode(), got[1])
    walk.answered(changed)


def resolver_unknown(scene: Scene) -> None:
    walk = ZoneLab(scene)
    walk.ask("nowhere.org")
    walk.parent.send(UNKNOWN, walk.asked(walk.parent, "nowhere.org"))
    walk.answered(UNKNOWN.decode())
    walk.resolve(EXACT)


def client_prints(scene: Scene) -> None:
    judge = scene.datagrams("resolver", scene.port("resolver", RESOLVER_PORT))
    scene.start([HOST, str(judge.local[1])], "client")
    for line in EXACT, LAST, BELOW:
        name, address, _ = line.split(",")
        scene.sandbox.type(name.encode() + b"\n")
        got = judge.receive()
        if got is None:
            raise Failed(f"{name} was typed, and the resolver is not asked", crash(scene))
        if got[0].strip() != name.encode():
            raise Failed("the resolver gets another datagram than the name", expected=name.encode(), got=got[0])
        judge.send(line.encode(), got[1])
        scene.await_output(address.encode(), "the address")


def client_address_alone(scene: Scene) -> None:
    client_prints(scene)
    scene.sleep(0.2)
    output = scene.output()
    wanted = b"".join(line.split(",")[1].encode() + b"\n" for line in (EXACT, LAST, BELOW))
    if output.strip() != wanted.strip():
        raise Failed("the client prints more than the addresses, one a line", expected=wanted, got=output)
