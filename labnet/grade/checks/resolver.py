"""The UDP resolver: records from a file, an unknown name asked of the parent, answers learned, kept and forgotten."""

from __future__ import annotations

import time

from labnet.grade.checks.crash import crash
from labnet.grade.checks.resolver_lab import (
    FAR,
    FARTHER,
    FILE,
    LAST,
    PARENT_PORT,
    STATIC,
    Record,
    ResolverLab,
    wrong_in,
)
from labnet.grade.model import Failed, NotFoundOut
from labnet.grade.patience import PATIENCE
from labnet.grade.scene import HOST, Scene


def listens(scene: Scene) -> None:
    ResolverLab(scene).start()


def answers(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    client = lab.client()
    for record in STATIC[:2]:
        reply = lab.ask(record.name, client)
        lab.expect(record, reply)
    scene.facts.update(known=STATIC[0], reply=lab.ask(STATIC[0].name, client))


def last_line(scene: Scene) -> None:
    lab = ResolverLab(scene, "\n".join(record.line for record in STATIC).encode()).start()
    reply = lab.ask(LAST.name)
    lab.expect(LAST, reply)


def crlf_file(scene: Scene) -> None:
    lab = ResolverLab(scene, b"".join(record.line.encode() + b"\r\n" for record in STATIC)).start()
    for record in STATIC:
        lab.expect(record, lab.ask(record.name))


def unknown_at_root(scene: Scene) -> None:
    lab = ResolverLab(scene, with_parent=False).start()
    client = lab.client()
    client.send(b"nowhere.example.com", lab.address)
    client.receive(1.0)
    if scene.ended() is not None:
        raise Failed("a name that is not in the file ends a server without a parent", crash(scene))
    lab.expect(STATIC[0], lab.ask(STATIC[0].name))


def asks_parent(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.client().send(FAR.name.encode(), lab.address)
    source = lab.parent_asked(FAR.name)
    scene.facts["own_socket"] = source[1] != lab.port


def passes_on(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.learn(FAR)


def own_port(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.client().send(FAR.name.encode(), lab.address)
    if lab.parent_asked(FAR.name)[1] == lab.port:
        raise Failed(
            f"the parent is asked from port {lab.port}, where clients ask",
            "one socket serves clients and parent: a client's question can be taken for the parent's answer",
        )


def each_client_its_own(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    first, second = lab.client("first client"), lab.client("second client")
    lab.expect(STATIC[0], lab.ask(STATIC[0].name, first))
    second.send(STATIC[1].name.encode(), lab.address)
    got = second.receive()
    if got is None:
        stray = first.receive(0.1)
        cause = "the reply went to the client that had asked before" if stray is not None else crash(scene)
        raise Failed(f"the second client's question {STATIC[1].name} gets no reply", cause)
    lab.expect(STATIC[1], got[0])
    lab.expect(STATIC[0], lab.ask(STATIC[0].name, first))


def learns(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.learn(FAR)
    other = lab.client("second client")
    other.send(FAR.name.encode(), lab.address)
    lab.parent_is_quiet(0.5, "again for a name that was learned a moment ago")
    lab.expect(FAR, lab.reply(other, FAR.name))


def learns_several(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    for record in FAR, FARTHER:
        lab.learn(record)
    for record in FAR, FARTHER, *STATIC:
        lab.expect(record, lab.ask(record.name))
    lab.parent_is_quiet(0.1, "again for names that were learned a moment ago")


def saved(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.learn(FAR)
    _again(lab)
    client = lab.client()
    client.send(FAR.name.encode(), lab.address)
    lab.parent_is_quiet(0.5, "for a name that was learned before the restart")
    lab.expect(FAR, lab.reply(client, FAR.name))


def saved_apart(scene: Scene) -> None:
    lab = ResolverLab(scene, "\n".join(record.line for record in STATIC).encode()).start()
    lab.learn(FAR)
    _again(lab)
    for record in LAST, FAR:
        client = lab.client()
        client.send(record.name.encode(), lab.address)
        got = client.receive(1.0)
        if got is None or wrong_in(record, got[0]):
            file = scene.sandbox.file(FILE)
            glued = any(LAST.name in line and FAR.name in line for line in file.decode("latin-1").splitlines())
            raise Failed(
                f"after a restart {record.name} is not answered, when the file had no newline at its end",
                "the learned line was glued to the last line of the file" if glued else "",
                expected=record.line.encode(),
                got=file,
            )


def _again(lab: ResolverLab) -> None:
    lab.scene.stop()
    lab.scene.note("the program is started again")
    lab.start()


def expires(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    assert lab.parent is not None
    short = Record(FAR.name, FAR.address, 2)
    before = time.monotonic()
    lab.learn(short)
    learned = time.monotonic()
    for after in 0.7, 1.6:
        scene.sleep(after - (time.monotonic() - learned))
        lab.client().send(short.name.encode(), lab.address)
        if lab.parent.receive(0.2) is not None:
            age = time.monotonic() - before
            if age > 1.9:
                raise NotFoundOut("this machine was too slow to ask within the 2 seconds of a TTL")
            raise Failed(f"a name with a TTL of 2 s is asked anew after {age:.1f} s at most")
    scene.sleep(3.3 - (time.monotonic() - learned))
    client = lab.client()
    client.send(short.name.encode(), lab.address)
    got = lab.parent.receive(PATIENCE)
    if got is None:
        reply = client.receive(0.3)
        raise Failed("a name with a TTL of 2 s is not asked anew 3.3 s later", got=reply[0] if reply else None)
    fresh = Record(FAR.name, "172.16.99.98", 241)
    lab.parent_answers(fresh, got[1])
    lab.expect(fresh, lab.reply(client, FAR.name))


def ttl_from_learning(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    scene.sleep(3.2)
    short = Record(FAR.name, FAR.address, 3)
    before = time.monotonic()
    lab.learn(short)
    scene.sleep(1.0)
    client = lab.client()
    client.send(short.name.encode(), lab.address)
    got = lab.parent is not None and lab.parent.receive(0.4)
    if got and time.monotonic() - before < 2.8:
        raise Failed(
            "a name with a TTL of 3 s is asked anew one second after it was learned, 4 s after the program's start",
            "its time counts from the program's start",
        )


def static_stays(scene: Scene) -> None:
    short = Record("short.example.org", "10.20.30.42", 1)
    lab = ResolverLab(scene, "".join(f"{record.line}\n" for record in (short, *STATIC)).encode()).start()
    lab.expect(short, lab.ask(short.name))
    scene.sleep(2.5)
    client = lab.client()
    client.send(short.name.encode(), lab.address)
    got = client.receive(1.0)
    if got is None or wrong_in(short, got[0]):
        raise Failed(
            "a line of the file with a TTL of 1 s is no longer answered 2.5 s later", got=got[0] if got else None
        )


def silent_parent(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    lab.client("first client").send(FAR.name.encode(), lab.address)
    source = lab.parent_asked(FAR.name)
    client = lab.client("second client")
    client.send(STATIC[0].name.encode(), lab.address)
    if client.receive(16.0) is None:
        seen = "while the parent is silent nobody else is answered, 16 s long"
        lab.parent_answers(FAR, source)
        if client.receive(2.0) is not None:
            raise Failed(seen, "it waits for its parent without a time-out: the moment the parent answers it goes on")
        raise Failed(seen, crash(scene))


def parent_of_its_argument(scene: Scene) -> None:
    other = scene.port("other parent", 2311)
    lab = ResolverLab(scene)
    host = "127.0.0.3"
    elsewhere = scene.datagrams("parent at its argument", other, host)
    lab.arguments[1:3] = [host, str(other)]
    lab.start()
    lab.client().send(FAR.name.encode(), lab.address)
    got = elsewhere.receive(PATIENCE)
    if got is None:
        usual = lab.parent is not None and lab.parent.receive(0.1)
        cause = f"port {PARENT_PORT} of {HOST} is asked in its place" if usual else crash(scene)
        raise Failed(f"the parent at {host} port {other}, as its arguments say, is not asked", cause)


def file_of_its_argument(scene: Scene) -> None:
    lab = ResolverLab(scene)
    other = Record("other.example.org", "10.77.66.55", 94)
    scene.write("other.txt", f"{other.line}\n".encode())
    lab.arguments[3] = "other.txt"
    lab.start()
    client = lab.client()
    client.send(other.name.encode(), lab.address)
    got = client.receive(1.0)
    if got is None or wrong_in(other, got[0]):
        raise Failed("a name of the file that its argument names is not answered", got=got[0] if got else None)


def two_at_once(scene: Scene) -> None:
    lab = ResolverLab(scene).start()
    first, second = lab.client("first client"), lab.client("second client")
    first.send(FAR.name.encode(), lab.address)
    source = lab.parent_asked(FAR.name)
    second.send(STATIC[0].name.encode(), lab.address)
    early = second.receive(0.3)
    lab.parent_answers(FAR, source)
    lab.expect(FAR, lab.reply(first, FAR.name))
    lab.expect(STATIC[0], early[0] if early else lab.reply(second, STATIC[0].name))
