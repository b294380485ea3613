"""The command server's client: it shows the greeting, sends what is typed, shows the replies, ends after EXIT."""

from __future__ import annotations

import time
from typing import Final

from labnet.grade.channels import ListenerChannel, StreamChannel
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed
from labnet.grade.scene import HOST, Scene

USUAL_PORT: Final = 8080
TIME: Final = "Tue Mar  3 04:05:06 2037"
"""No time that a client could make up."""

GREETING: Final = "Connected: your IP address is 127.0.0.1 and your port is {port}\n"


def listening(scene: Scene, usual: int = USUAL_PORT) -> ListenerChannel:
    """The judge's own server."""
    return scene.listen(scene.port(f"server {usual}", usual))


def connected(scene: Scene) -> StreamChannel:
    """The program, connected to the judge's server and greeted."""
    listener = listening(scene)
    scene.start([HOST, str(listener.local[1])], "client")
    stream = listener.accept(10.0)
    if stream is None:
        raise Failed("the program does not connect to the server that its arguments name", crash(scene))
    stream.send(GREETING.format(port=stream.socket.getpeername()[1]).encode())
    return stream


def command(scene: Scene, stream: StreamChannel, text: str) -> bytes:
    """What the program sends after ``text`` was typed. Raises Failed where it is not that."""
    scene.note(f"{text} is typed")
    scene.sandbox.type(text.encode() + b"\n")
    got = stream.read()
    if not got:
        raise Failed(f"{text} was typed, and the program sends nothing", crash(scene))
    if got.strip() != text.encode():
        raise Failed(f"{text} was typed, and the program sends something else", expected=text.encode(), got=got)
    return got


def connects(scene: Scene) -> None:
    connected(scene)


def its_arguments(scene: Scene) -> None:
    usual, other = listening(scene), listening(scene, 9231)
    scene.start([HOST, str(other.local[1])], "client")
    if other.accept(10.0) is None:
        elsewhere = usual.has_input()
        raise Failed(
            f"the program does not connect to port {other.local[1]}, which its arguments name",
            f"it connects to port {usual.local[1]} in its place" if elsewhere else crash(scene),
        )


def shows_greeting(scene: Scene) -> None:
    stream = connected(scene)
    scene.await_output(str(stream.socket.getpeername()[1]).encode(), "the server's greeting")


def sends_commands(scene: Scene) -> None:
    command(scene, connected(scene), "TIME")


def shows_reply(scene: Scene) -> None:
    stream = connected(scene)
    command(scene, stream, "TIME")
    stream.send(TIME.encode() + b"\n")
    scene.await_output(TIME.encode(), "the server's reply to TIME")


def several(scene: Scene) -> None:
    stream = connected(scene)
    for number in range(1, 4):
        command(scene, stream, "TIME")
        told = TIME.replace("06", f"0{number}", 1)
        stream.send(told.encode() + b"\n")
        scene.await_output(told.encode(), f"the reply to command number {number}")


def any_command(scene: Scene) -> None:
    stream = connected(scene)
    command(scene, stream, "HELLO")
    stream.send(b"Invalid command!\n")
    scene.await_output(b"Invalid command!", "the reply to a command that is none")


def ends(scene: Scene) -> None:
    stream = connected(scene)
    command(scene, stream, "EXIT")
    stream.close()
    scene.note("Enter is pressed, and the input ends")
    scene.sandbox.type(b"\n", at_end=True)
    if not scene.wait(lambda: scene.ended() is not None):
        raise Failed("after EXIT, Enter and the end of the input the program is still there")


def ends_cleanly(scene: Scene) -> None:
    stream = connected(scene)
    command(scene, stream, "EXIT")
    stream.close()
    # Nothing but Enter: a program that goes on asking meets the end of its input, which is no fault of the next line.
    scene.sandbox.type(b"\n", at_end=True)
    scene.wait(lambda: scene.ended() is not None)
    said = scene.errors()
    if scene.ended() not in (None, 0) and b"EOFError" not in said:
        raise Failed(f"after EXIT the program ends with status {scene.ended()}", crash(scene))


def server_closes(scene: Scene) -> None:
    stream = connected(scene)
    command(scene, stream, "TIME")
    stream.send(TIME.encode() + b"\n")
    scene.await_output(TIME.encode(), "the server's reply to TIME")
    stream.close()
    time.sleep(0.05)
    scene.note("the server has closed; TIME is typed, and the input ends")
    scene.sandbox.type(b"TIME\n\n", at_end=True)
    if not scene.wait(lambda: scene.ended() is not None):
        raise Failed("after the server has closed the program neither ends nor says so")
