"""The course's resolver as the program, the judge as its clients and its parent, and what its replies may look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from labnet.grade.channels import Datagrams
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed
from labnet.grade.patience import PATIENCE
from labnet.grade.scene import HOST, Scene
from labnet.wire.course import decode_reply
from labnet.wire.course_line import TextError

USUAL_PORT: Final = 1199
PARENT_PORT: Final = 1200
FILE: Final = "ips.txt"
NOWHERE: Final = ("-1", "-1")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a records file; every value differs from every other record's and from every default."""

    name: str
    address: str
    ttl: int

    @property
    def line(self) -> str:
        return f"{self.name},{self.address},{self.ttl}"


STATIC: Final = (
    Record("www.biu.ac.il", "1.2.3.4", 181),
    Record("mail.biu.ac.il", "5.6.7.9", 3607),
    Record("www.example.org", "10.20.30.41", 77),
)
LAST: Final = STATIC[-1]
FAR: Final = Record("far.example.net", "172.16.5.6", 241)
FARTHER: Final = Record("farther.example.net", "172.16.7.8", 263)


class ResolverLab:
    """The program as a resolver, with the judge as its clients and its parent."""

    def __init__(self, scene: Scene, file: bytes | None = None, with_parent: bool = True) -> None:
        self.scene = scene
        self.port = scene.port("resolver", USUAL_PORT)
        self.address: Address = (HOST, self.port)
        content = "".join(f"{record.line}\n" for record in STATIC).encode() if file is None else file
        scene.write(FILE, content)
        self.parent = scene.datagrams("parent", scene.port("parent", PARENT_PORT)) if with_parent else None
        self.arguments = [
            str(self.port),
            *(NOWHERE if self.parent is None else (HOST, str(self.parent.local[1]))),
            FILE,
        ]

    def start(self) -> ResolverLab:
        """Start the program; it is ready when its port is open."""
        self.scene.start(self.arguments, "resolver", ("udp", self.port))
        return self

    def client(self, who: str = "client") -> Datagrams:
        """Another client."""
        return self.scene.datagrams(who)

    def ask(self, name: str, client: Datagrams | None = None, patience: float = PATIENCE) -> bytes:
        """The reply to ``name``. Raises Failed where none comes."""
        client = client or self.client()
        client.send(name.encode(), self.address)
        return self.reply(client, name, patience)

    def reply(self, client: Datagrams, name: str, patience: float = PATIENCE) -> bytes:
        """The next datagram that ``client`` gets. Raises Failed where none comes."""
        got = client.receive(patience)
        if got is None:
            said = crash(self.scene)
            raise Failed(f"the question {name} gets no reply within {patience:.0f} s", said)
        return got[0]

    def expect(self, record: Record, reply: bytes) -> None:
        """Raises Failed where ``reply`` is not about ``record``, in whatever form."""
        problem = wrong_in(record, reply)
        if problem:
            raise Failed(f"the reply to {record.name} {problem}", expected=record.line.encode(), got=reply)

    def parent_asked(self, name: str, patience: float = PATIENCE) -> Address:
        """Where the program's question to the parent came from. Raises Failed where it is no question for ``name``."""
        assert self.parent is not None
        got = self.parent.receive(patience)
        if got is None:
            raise Failed(f"the parent is not asked for {name} within {patience:.0f} s", crash(self.scene))
        data, source = got
        if data.strip() != name.encode():
            raise Failed("the parent gets another datagram than the client sent", expected=name.encode(), got=data)
        return source

    def parent_answers(self, record: Record, to: Address) -> None:
        """The parent's reply, in the form in which the program itself replies."""
        assert self.parent is not None
        self.parent.send(in_form(self.scene, record), to)

    def parent_is_quiet(self, seconds: float, why: str) -> None:
        """Raises Failed where the parent is asked."""
        assert self.parent is not None
        got = self.parent.receive(seconds)
        if got is not None:
            raise Failed(f"the parent is asked {why}", got=got[0])

    def learn(self, record: Record, client: Datagrams | None = None) -> bytes:
        """Have the program ask the parent for ``record`` and get it; the reply to the client."""
        client = client or self.client()
        client.send(record.name.encode(), self.address)
        self.parent_answers(record, self.parent_asked(record.name))
        reply = self.reply(client, record.name)
        self.expect(record, reply)
        return reply


def wrong_in(record: Record, reply: bytes) -> str:
    """What is wrong with ``reply`` as an answer about ``record``; nothing where it conforms."""
    text = reply.decode("latin-1")
    if "\n" in text.rstrip("\r\n") or re.search(r"\\n|\\r", text):
        return "holds the end of the file's line inside"
    try:
        told = decode_reply(reply)
    except TextError as error:
        return f"has no form of the assignment: {error}"
    if told is None:
        return "says that the name is unknown"
    if told.name not in (None, record.name):
        return f"is about {told.name}"
    if told.address != record.address:
        return f"has the address {told.address}"
    if told.ttl not in (None, record.ttl):
        return f"has the TTL {told.ttl}"
    return ""


def in_form(scene: Scene, record: Record) -> bytes:
    """``record`` as the program itself words a reply: what it said about another, with the values exchanged."""
    known, reply = scene.facts["known"], scene.facts["reply"]
    text = reply.decode("latin-1")
    for old, new in (known.name, record.name), (known.address, record.address):
        text = text.replace(old, new)
    return re.sub(rf"(?<![0-9.]){known.ttl}(?![0-9.])", str(record.ttl), text).encode("latin-1")
