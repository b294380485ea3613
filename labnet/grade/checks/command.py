"""The TCP command server: one client at a time, a greeting, TIME, EXIT, fifteen seconds."""

from __future__ import annotations

import re
import time
from typing import Final

from labnet.grade.channels import StreamChannel
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed
from labnet.grade.patience import PATIENCE
from labnet.grade.scene import Scene

USUAL_PORT: Final = 8080
TIMEOUT: Final = 15.0
EARLY: Final = 0.3
"""Seconds before the fifteen that are still no proof of a wrong time-out: a timer may count from before the accept."""

LATE: Final = 3.0
"""Seconds after the fifteen that a program may take: one that looks at its clock once a second or two conforms."""

_NOTICED: Final = 0.3
"""Seconds that a server may take to see that its client has closed."""

_CTIME: Final = re.compile(
    rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9][0-9] ([0-9]{2}):([0-9]{2}):([0-9]{2}) [0-9]{4}"
)
_INVALID: Final = (b"Invalid command!", b"WARNING!!! ----> Please enter a valid command!")


def serve(scene: Scene) -> int:
    """Start the server; its port."""
    port = scene.port("server", USUAL_PORT)
    scene.start([str(port)], "server", ("tcp", port))
    return port


def greeted(scene: Scene, port: int, who: str = "client") -> StreamChannel:
    """A connection whose greeting has been read, if one comes: whether it does is another check's."""
    client = scene.connect(port, who)
    client.read(2.0)
    return client


def ask(scene: Scene, client: StreamChannel, command: bytes, patience: float = PATIENCE) -> bytes:
    """The reply to ``command``, sent in the form that the program takes (a fact of the check ``time``)."""
    client.send(command + scene.facts.get("end", b""))
    return client.read(patience)


def is_time(reply: bytes) -> bool:
    """Whether ``reply`` is the time now, as time.ctime() has it, in whatever zone."""
    found = _CTIME.fullmatch(reply.strip())
    if not found:
        return False
    _, hours, minutes, seconds = found.groups()
    if int(hours) > 23 or int(minutes) > 59:
        return False
    told, now = int(minutes) * 60 + int(seconds), int(time.time())
    # Zones differ by quarters of an hour.
    return min((told - now) % 900, (now - told) % 900) <= 5


def is_invalid(reply: bytes) -> bool:
    """Whether ``reply`` says that the command is none."""
    return reply.strip() in _INVALID


def listens(scene: Scene) -> None:
    serve(scene)


def greeting(scene: Scene) -> None:
    client = scene.connect(serve(scene))
    got = client.read()
    if not got:
        raise Failed(f"a new connection gets no greeting within {PATIENCE:.0f} s")
    host, port = client.local
    if host.encode() not in got or not re.search(rb"(?<![0-9])%d(?![0-9])" % port, got):
        expected = f"Connected: your IP address is {host} and your port is {port}\n".encode()
        raise Failed("the greeting does not hold the client's address and port", expected=expected, got=got)


def time_command(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"TIME")
    reply = client.read()
    if not reply and not client.has_ended:
        # A program that reads lines waits for the end of this one.
        client.send(b"\n")
        reply = client.read()
        scene.facts["end"] = b"\n"
    if not reply:
        raise Failed("TIME gets no reply, neither without a newline nor with one")
    if not is_time(reply):
        raise Failed("the reply to TIME is not the time now", expected=time.ctime().encode(), got=reply)


def several_commands(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    for number in range(1, 4):
        reply = ask(scene, client, b"TIME")
        if not is_time(reply):
            raise Failed(f"TIME number {number} on one connection is not answered with the time", got=reply)


def invalid(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    for command in b"HELLO", b"time", b"TIMES":
        reply = ask(scene, client, command)
        if not is_invalid(reply):
            raise Failed(f"{command.decode()} is not answered with Invalid command!", expected=_INVALID[0], got=reply)
    if not is_time(ask(scene, client, b"TIME")):
        raise Failed("after an invalid command TIME is not answered on the same connection")


def binary(scene: Scene) -> None:
    port = serve(scene)
    client = greeted(scene, port)
    reply = ask(scene, client, b"\xff\xfe\xc3\x28\x80")
    if scene.ended() is not None:
        raise Failed("bytes that are no UTF-8 end the program", crash(scene))
    if not is_invalid(reply):
        client.close()
        raise Failed("bytes that are no UTF-8 are not answered with Invalid command!", expected=_INVALID[0], got=reply)


def split(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"TI")
    if client.read(0.4):
        raise Failed("half a command is answered before its line has ended", expected=b"", got=client.received)
    client.send(b"ME\n")
    reply = client.read()
    if not is_time(reply):
        raise Failed("TI and ME and a newline, in two segments, are not understood as TIME", got=reply)


def crlf(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    for command in b"TIME\n", b"TIME\r\n", b" TIME \n":
        client.send(command)
        reply = client.read()
        if not is_time(reply):
            raise Failed(f"{command!r} is not understood as TIME", expected=time.ctime().encode(), got=reply)


def two_in_one(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"TIME\nTIME\n")
    reply = client.read()
    if len(_CTIME.findall(reply)) < 2:
        reply += client.read(1.0)
    if len(_CTIME.findall(reply)) != 2:
        raise Failed("two lines in one segment do not get two replies", got=reply)


def client_closes(scene: Scene) -> None:
    port = serve(scene)
    greeted(scene, port, "first client").close()
    scene.sleep(_NOTICED)
    if not is_time(ask(scene, greeted(scene, port, "second client"), b"TIME")):
        raise Failed("after a client has closed, the next one's TIME is not answered")
    if scene.ended() is not None:
        raise Failed("the program ends when a client closes", crash(scene))


def many(scene: Scene) -> None:
    port = serve(scene)
    for number in range(1, 13):
        client = greeted(scene, port, f"client {number}")
        if not is_time(ask(scene, client, b"TIME")):
            raise Failed(f"client number {number} in a row is not answered")
        client.close()
        scene.sleep(_NOTICED)


def one_at_a_time(scene: Scene) -> None:
    port = serve(scene)
    first = greeted(scene, port, "first client")
    second = scene.connect(port, "second client")
    second.send(b"TIME" + scene.facts.get("end", b""))
    early = second.read(1.0)
    if early and not first.take() and not first.has_ended:
        raise Failed("a second client is served while the first is still there", got=early)
    if second.has_ended:
        raise Failed("a second client is sent away while the first is served, and not left to wait")
    if not is_time(ask(scene, first, b"TIME")):
        raise Failed("the first client is not answered while a second one waits")
    first.close()
    scene.wait(lambda: (second.take(), _CTIME.search(second.received))[1])
    if not _CTIME.search(second.received):
        raise Failed("the client that waited is not answered after the first has left", got=second.received)


def exit_closes(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"EXIT" + scene.facts.get("end", b""))
    if not client.read_end():
        cause = "the welcome port is closed, this connection is not" if not _is_open(scene) else ""
        raise Failed(f"after EXIT the connection is still open {PATIENCE:.0f} s later", cause)


def exit_closes_all(scene: Scene) -> None:
    port = serve(scene)
    client = greeted(scene, port, "first client")
    waiting = scene.connect(port, "client that waits")
    client.send(b"EXIT" + scene.facts.get("end", b""))
    client.read_end()
    if not scene.wait(lambda: not scene.is_listening("tcp", port)):
        raise Failed(
            f"after EXIT the welcome socket still listens on port {port}",
            "EXIT closed the client's connection alone" if client.has_ended else "",
        )
    if not waiting.read_end():
        raise Failed("after EXIT the connection that waited is still open")


def exit_is_clean(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"EXIT" + scene.facts.get("end", b""))
    client.read_end()
    scene.wait(lambda: scene.ended() is not None, 1.0)
    if scene.ended() not in (None, 0):
        raise Failed(f"after EXIT the program ends with status {scene.ended()}", crash(scene))


def no_reset(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    client.send(b"TIME\n")
    reply = client.read()
    client.send(b"EXIT\n")
    client.read_end()
    if client.was_reset:
        raise Failed(
            "the connection ends with a reset, which can destroy the last reply on its way",
            "the program closes while bytes that the client sent are unread",
            got=reply,
        )


def restart(scene: Scene) -> None:
    port = serve(scene)
    client = greeted(scene, port)
    client.send(b"EXIT" + scene.facts.get("end", b""))
    client.read_end()
    scene.wait(lambda: scene.ended() is not None, 1.0)
    scene.sandbox.end()
    scene.note("the program is started again on the same port")
    try:
        scene.start([str(port)], "server", ("tcp", port))
    except Failed as failed:
        cause = "SO_REUSEADDR is not set on the welcome socket" if b"in use" in scene.errors() else ""
        raise Failed("started again at once on the same port, the program does not listen", cause) from failed


def timeout(scene: Scene) -> None:
    port = serve(scene)
    before = time.monotonic()
    client = greeted(scene, port)
    _closes_on_time(scene, client, before, time.monotonic(), "no command")
    if not is_time(ask(scene, greeted(scene, port, "next client"), b"TIME")):
        raise Failed("after a time-out the next client is not served")


def timeout_restarts(scene: Scene) -> None:
    client = greeted(scene, serve(scene))
    scene.sleep(4)
    before = time.monotonic()
    if not is_time(ask(scene, client, b"TIME")):
        raise Failed("TIME is not answered 4 s after the greeting")
    _closes_on_time(scene, client, before, time.monotonic(), "no further command")


def timeout_by_command(scene: Scene) -> None:
    port = serve(scene)
    before = time.monotonic()
    client = greeted(scene, port)
    latest = time.monotonic()
    for letter in b"T", b"I", b"M":
        client.send(letter)
        scene.sleep(4.5)
        if client.take():
            return  # each segment is a command to this program, so each begins the fifteen seconds anew
    _closes_on_time(scene, client, before, latest, "single bytes and no command")


def idle_server(scene: Scene) -> None:
    port = serve(scene)
    scene.sleep(TIMEOUT + 2)
    if scene.ended() is not None:
        raise Failed(
            "the program ends when nobody connects for 15 s",
            "its time-out is set on the welcome socket" if b"timed out" in scene.errors().lower() else crash(scene),
        )
    if not is_time(ask(scene, greeted(scene, port), b"TIME")):
        raise Failed("a client that comes after 17 s without any is not served")


def _closes_on_time(scene: Scene, client: StreamChannel, earliest: float, latest: float, what: str) -> None:
    """The end has to come 15 s after a moment between ``earliest`` and ``latest``; the machine's lag is no fault."""
    began = time.monotonic()
    left = latest + TIMEOUT + LATE - began
    while not client.has_ended and time.monotonic() < latest + TIMEOUT + LATE + scene.lag(began):
        scene.pump(min(0.05, max(left, 0.01)))
        client.take()
    if not client.has_ended:
        raise Failed(f"with {what} the connection is still open {TIMEOUT + LATE:.0f} s later")
    if client.ended_at - earliest < TIMEOUT - EARLY:
        raise Failed(f"with {what} the connection is closed after {client.ended_at - earliest:.1f} s, before the 15")


def _is_open(scene: Scene) -> bool:
    return scene.is_listening("tcp", scene.port("server", USUAL_PORT))
