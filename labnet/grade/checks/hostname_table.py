"""The hostname-table dialect's three programs over TCP: two servers with a table each, a client that walks."""

from __future__ import annotations

import time
from typing import Final

from labnet.grade.channels import ListenerChannel, StreamChannel
from labnet.grade.checks.crash import crash
from labnet.grade.model import Failed
from labnet.grade.patience import PATIENCE
from labnet.grade.scene import HOST, Scene

TS_PORT: Final = 50_007
RS_PORT: Final = 50_008
TS_FILE, RS_FILE, ASKED_FILE, RESOLVED_FILE = "PROJI-DNSTS.txt", "PROJI-DNSRS.txt", "PROJI-HNS.txt", "RESOLVED.txt"

TS_TABLE: Final = (
    "data.aws.com 128.64.3.2 A",
    "MX.rutgers.edu 192.64.4.2 A",
    "last.example.org 10.20.30.41 A",
)
RS_TABLE: Final = ("www.google.com 8.6.4.2 A", "grep.Cs.princeton.edu 182.48.3.2 A", "localhost - NS")
ERROR: Final = "{} - Error:HOST NOT FOUND"


def ts(scene: Scene, final_newline: bool = True) -> int:
    """Start the program's top-level server; its port."""
    port = scene.port("ts", TS_PORT)
    scene.write(TS_FILE, ("\n".join(TS_TABLE) + ("\n" if final_newline else "")).encode())
    scene.start([str(port)], "ts", ("tcp", port))
    return port


def rs(scene: Scene) -> int:
    """Start the program's root server; its port."""
    port = scene.port("rs", RS_PORT)
    scene.write(RS_FILE, ("\n".join(RS_TABLE) + "\n").encode())
    scene.start([str(port)], "rs", ("tcp", port))
    return port


class Questions:
    """A client of the program's server: on one connection as long as the server keeps it, else on a new one each."""

    def __init__(self, scene: Scene, port: int) -> None:
        self._scene = scene
        self._port = port
        self._stream: StreamChannel | None = None

    def ask(self, name: str) -> str:
        """The reply, without its newline. Raises Failed where none comes."""
        for _ in range(2):
            is_new = self._stream is None or self._stream.has_ended
            if is_new:
                self._stream = self._scene.connect(self._port)
            assert self._stream is not None
            self._stream.send(name.encode())
            got = self._stream.read()
            if not got and not self._stream.has_ended:
                self._stream.send(b"\n")
                got = self._stream.read()
            if got:
                return got.decode("latin-1").strip()
            if is_new:
                break
        raise Failed(f"the question {name} gets no reply within {PATIENCE:.0f} s", crash(self._scene))


def expect(name: str, wanted: str, got: str, cause: str = "") -> None:
    """Raises Failed where ``got`` is not ``wanted``, white space between its fields apart."""
    if got.split() != wanted.split():
        raise Failed(f"the reply to {name} is another one", cause, expected=wanted.encode(), got=got.encode("latin-1"))


def ts_listens(scene: Scene) -> None:
    ts(scene)


def ts_answers(scene: Scene) -> None:
    questions = Questions(scene, ts(scene))
    expect("data.aws.com", TS_TABLE[0], questions.ask("data.aws.com"))


def ts_last_line(scene: Scene) -> None:
    questions = Questions(scene, ts(scene, final_newline=False))
    expect("last.example.org", TS_TABLE[2], questions.ask("last.example.org"))


def ts_case(scene: Scene) -> None:
    questions = Questions(scene, ts(scene))
    expect("mx.RUTGERS.edu", TS_TABLE[1], questions.ask("mx.RUTGERS.edu"))


def ts_unknown(scene: Scene) -> None:
    questions = Questions(scene, ts(scene))
    expect("nowhere.org", ERROR.format("nowhere.org"), questions.ask("nowhere.org"))


def rs_answers(scene: Scene) -> None:
    questions = Questions(scene, rs(scene))
    expect("www.google.com", RS_TABLE[0], questions.ask("www.google.com"))


def rs_case(scene: Scene) -> None:
    questions = Questions(scene, rs(scene))
    expect("GREP.cs.princeton.edu", RS_TABLE[1], questions.ask("GREP.cs.princeton.edu"))


def rs_refers(scene: Scene) -> None:
    questions = Questions(scene, rs(scene))
    expect("data.aws.com", RS_TABLE[2], questions.ask("data.aws.com"))


class Servers:
    """The judge as root and top-level server, and the program as their client."""

    def __init__(self, scene: Scene, names: list[str]) -> None:
        self.scene = scene
        self.rs = scene.listen(scene.port("rs", RS_PORT), "root server")
        self.ts = scene.listen(scene.port("ts", TS_PORT), "top-level server")
        scene.write(ASKED_FILE, ("\n".join(names) + "\n").encode())
        scene.start([HOST, str(self.rs.local[1]), str(self.ts.local[1])], "client")
        self.asked: list[tuple[str, str]] = []
        self._open: list[tuple[ListenerChannel, StreamChannel]] = []

    def serve(self, seconds: float = PATIENCE) -> None:
        """Answer until the client ends, or asks nothing for ``seconds``."""
        last = time.monotonic()
        while self.scene.ended() is None and time.monotonic() - last < seconds:
            if self._serve_once():
                last = time.monotonic()
            else:
                self.scene.pump(0.02)

    def _serve_once(self) -> bool:
        did = False
        for listener in self.rs, self.ts:
            if listener.has_input():
                stream = listener.accept(0.5)
                if stream is not None:
                    self._open.append((listener, stream))
                    did = True
        for listener, stream in self._open:
            for name in stream.take().decode("latin-1").split():
                did = True
                self.asked.append((listener.who, name))
                stream.send(self._reply(listener, name).encode())
        return did

    def _reply(self, listener: ListenerChannel, name: str) -> str:
        table = RS_TABLE if listener is self.rs else TS_TABLE
        for line in table:
            if line.split()[0].lower() == name.lower():
                return line
        return RS_TABLE[-1] if listener is self.rs else ERROR.format(name)

    def resolved(self) -> list[str]:
        """The lines that the client has written. Raises Failed where there is no such file."""
        try:
            return self.scene.sandbox.file(RESOLVED_FILE).decode("latin-1").splitlines()
        except OSError:
            raise Failed(f"the client has not written {RESOLVED_FILE}", crash(self.scene)) from None


def client_asks(scene: Scene) -> None:
    servers = Servers(scene, ["www.google.com"])
    servers.serve()
    if ("root server", "www.google.com") not in servers.asked:
        raise Failed("the root server is not asked for the name in the file", crash(scene))


def client_walks(scene: Scene) -> None:
    servers = Servers(scene, ["data.aws.com"])
    servers.serve()
    if ("top-level server", "data.aws.com") not in servers.asked:
        raise Failed("the root server answered NS, and the host that it names is not asked", crash(scene))


def client_writes(scene: Scene) -> None:
    wanted = {"www.google.com": RS_TABLE[0], "data.aws.com": TS_TABLE[0], "no.org": ERROR.format("no.org")}
    servers = Servers(scene, list(wanted))
    servers.serve()
    lines = [line for line in servers.resolved() if line.strip()]
    if [line.split() for line in lines] != [line.split() for line in wanted.values()]:
        raise Failed(
            f"{RESOLVED_FILE} has other lines",
            expected="\n".join(wanted.values()).encode(),
            got="\n".join(lines).encode("latin-1"),
        )
