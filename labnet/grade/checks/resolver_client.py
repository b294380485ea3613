"""The resolver's client: it asks for the names that are typed and prints their addresses alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from labnet.grade.channels import Datagrams
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed
from labnet.grade.scene import HOST, Scene

USUAL_PORT: Final = 1199
NAMES: Final = (
    ("www.biu.ac.il", "1.2.3.4", 73519),
    ("mail.biu.ac.il", "5.6.7.9", 64831),
    ("www.example.org", "10.20.30.41", 52973),
)
FORMS: Final = ("line", "json", "address")


@dataclass(slots=True)
class Desk:
    """The judge's server, and the program at it."""

    scene: Scene
    server: Datagrams

    def ask(self, name: str) -> tuple[str, int]:
        """Type ``name``; where the question came from. Raises Failed where it is not asked."""
        self.scene.note(f"{name} is typed")
        self.scene.sandbox.type(name.encode() + b"\n")
        got = self.server.receive()
        if got is None:
            raise Failed(f"{name} was typed, and the server is not asked", crash(self.scene))
        if got[0].strip() != name.encode():
            raise Failed("the server gets another datagram than the name", expected=name.encode(), got=got[0])
        return got[1]

    def reply(self, record: tuple[str, str, int], to: tuple[str, int], form: str) -> None:
        """Answer in ``form``."""
        name, address, ttl = record
        line = f"{name},{address},{ttl}"
        list_ = json.dumps([name, address, str(ttl), "0", 1700000000.25])
        self.server.send({"line": line, "json": list_, "address": address}[form].encode(), to)

    def sees(self, address: str, patience: float) -> bool:
        """Whether the program prints ``address``."""
        return self.scene.wait(lambda: address.encode() in self.scene.output(), patience)

    @property
    def form(self) -> str:
        """How the program's own server words a reply, as the check ``prints`` found out."""
        return str(self.scene.facts.get("form", "line"))


def started(scene: Scene) -> Desk:
    """The program, started with the judge's server as its arguments."""
    server = scene.datagrams("server", scene.port("server", USUAL_PORT))
    scene.start([HOST, str(server.local[1])], "client")
    return Desk(scene, server)


def asks(scene: Scene) -> None:
    started(scene).ask(NAMES[0][0])


def its_arguments(scene: Scene) -> None:
    usual = scene.datagrams("usual server", scene.port("server", USUAL_PORT))
    other = scene.datagrams("server", scene.port("other", 2377), "127.0.0.4")
    scene.start(["127.0.0.4", str(other.local[1])], "client")
    scene.sandbox.type(NAMES[0][0].encode() + b"\n")
    if other.receive() is None:
        cause = f"port {usual.local[1]} of {HOST} is asked in its place" if usual.has_input() else crash(scene)
        raise Failed("the server that its arguments name is not asked", cause)


def prints(scene: Scene) -> None:
    desk = started(scene)
    for number, form in enumerate(FORMS):
        if number:
            # Its course's servers word their replies in another way: in a new process, so that nothing is left over.
            scene.sandbox.end()
            scene.start([HOST, str(desk.server.local[1])], "client")
        name, address, _ = NAMES[0]
        desk.reply(NAMES[0], desk.ask(name), form)
        if desk.sees(address, 1.5):
            scene.facts["form"] = form
            return
    raise Failed("the address of the reply is not printed, whichever form it has", crash(scene), got=scene.output())


def prints_address_alone(scene: Scene) -> None:
    desk = started(scene)
    record = NAMES[1]
    desk.reply(record, desk.ask(record[0]), desk.form)
    output = scene.await_output(record[1].encode(), "the address")
    scene.sleep(0.2)
    output = scene.output()
    for what, value in ("name", record[0]), ("TTL", str(record[2])):
        if value.encode() in output:
            wanted = record[1].encode()
            raise Failed(f"the program prints the {what} too, not the address alone", expected=wanted, got=output)


def several(scene: Scene) -> None:
    desk = started(scene)
    for record in NAMES:
        desk.reply(record, desk.ask(record[0]), desk.form)
        scene.await_output(record[1].encode(), f"the address of {record[0]}")


def unknown(scene: Scene) -> None:
    desk = started(scene)
    name = "nowhere.example.org"
    source = desk.ask(name)
    replies = {"line": f"{name},not found,0", "json": "[]", "address": "not found"}
    desk.server.send(replies[desk.form].encode(), source)
    scene.sleep(0.3)
    record = NAMES[0]
    desk.reply(record, desk.ask(record[0]), desk.form)
    scene.await_output(record[1].encode(), "the next name's address after one that is unknown")
