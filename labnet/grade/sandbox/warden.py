"""The process inside a sandbox: it shuts the door behind itself, opens sockets for the judge, starts the program.

It is process 1 of its own namespaces where there are any (level A): its end is the end of all that the program started.
The judge speaks with it over a SOCK_SEQPACKET socket: a JSON object a message, descriptors beside the reply.

* ``{"do": "socket", "kind": "tcp"|"udp"|"packet", "bind": [host, port], "listen": n}``: a socket of this network.
* ``{"do": "start", "argv": [...]}``: the program; its stdin, stdout, stderr come back.
* ``{"do": "ports"}``: what is bound and listens here. ``{"do": "state"}``: how the program is.
* ``{"do": "signal", "signal": n}``, ``{"do": "end"}``: one signal to the program; the end of all its processes.
* ``{"do": "read", "path": ...}``, ``{"do": "write", ..., "text": ...}``: a file of the program's folder.

Only Python's own library and :mod:`labnet.net.kernel` are imported: each world starts one.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
from typing import Any, Final

from labnet.grade.sandbox.inside import SYSTEM, WORK, enter_namespaces
from labnet.net.kernel import isolation

LARGEST_MESSAGE: Final = 1 << 16

_MOST_ROUNDS: Final = 1000


def nursery(requests: int) -> None:
    """Become a warden, in a process of its own, for each message that comes: its settings, and its socket beside them.

    A process that has all imported already starts one in a tenth of the time that Python needs.
    """
    judge = socket.socket(fileno=requests)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(judge, LARGEST_MESSAGE, 1)
        if not message:
            return
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            judge.close()
            os.setsid()
            try:
                main(descriptors[0], json.loads(message))
            finally:
                os._exit(0)
        os.close(descriptors[0])


def main(control: int, settings: dict[str, Any]) -> None:
    """Shut the door as ``settings`` say, report, and serve the judge until it hangs up."""
    judge = socket.socket(fileno=control)
    try:
        warden = Warden(judge, settings)
        if settings["level"] == "A":
            enter_namespaces(judge, settings)
        else:
            isolation.adopt_orphans()
        isolation.untraceable()
        os.chdir(warden.work)
    except OSError as error:
        judge.send(json.dumps({"error": f"{error.strerror or error}"}).encode())
        return
    judge.send(b'{"ok": true}')
    try:
        warden.serve()
    except Exception as error:
        judge.send(json.dumps({"error": f"the warden failed: {error!r}"}).encode())
    warden.end()


class Warden:
    """Serves the judge at the other end of ``judge``."""

    def __init__(self, judge: socket.socket, settings: dict[str, Any]) -> None:
        self._judge = judge
        self._settings = settings
        self.work: str = WORK if settings["level"] == "A" else settings["work"]
        self._program = 0
        self._status: int | None = None

    def serve(self) -> None:
        """Do what the judge says until it hangs up."""
        while message := self._judge.recv(LARGEST_MESSAGE):
            order = json.loads(message)
            descriptors: list[int] = []
            try:
                reply = getattr(self, f"do_{order['do']}")(order, descriptors)
            except OSError as error:
                reply = {"error": error.strerror or str(error), "errno": error.errno}
            text = json.dumps(reply).encode()
            socket.send_fds(self._judge, [text], descriptors) if descriptors else self._judge.send(text)
            for descriptor in descriptors:
                os.close(descriptor)

    def do_socket(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """A socket, bound and listening as the order says."""
        kind = order["kind"]
        if kind == "packet":
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            opened.bind(("lo", 0))
        else:
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
            if kind == "tcp":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(tuple(order["bind"]))
            if order.get("listen"):
                opened.listen(order["listen"])
        descriptors.append(opened.detach())
        return {"ok": True}

    def do_start(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """The program, with pipes for its three streams."""
        pipes = [os.pipe() for _ in range(3)]
        inside = (pipes[0][0], pipes[1][1], pipes[2][1])
        self._status = None
        self._program = os.fork()
        if not self._program:
            self._become_program(order, inside)
        for descriptor in inside:
            os.close(descriptor)
        descriptors += [pipes[0][1], pipes[1][0], pipes[2][0]]
        return {"ok": True, "pid": self._program}

    def _become_program(self, order: dict[str, Any], streams: tuple[int, int, int]) -> None:
        try:
            for number, descriptor in enumerate(streams):
                os.dup2(descriptor, number)
            os.closerange(3, 256)
            os.setsid()
            os.nice(5)  # what runs wild must not slow the judge
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            for name, limit in self._settings["limits"].items():
                resource.setrlimit(getattr(resource, name), (limit, limit))
            self._give_up()
            environment = dict(self._settings["environment"], HOME=self.work)
            os.execvpe(order["argv"][0], order["argv"], environment)
        except OSError as error:
            os.write(2, f"{order['argv'][0]}: cannot be started: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _give_up(self) -> None:
        user = self._settings["user"]
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        isolation.give_up_privileges()
        if self._settings["landlock"]:
            readable = (*SYSTEM, *self._settings["readable"], "/proc", "/dev")
            isolation.restrict_files(readable, (self.work, "/dev/null"))

    def do_ports(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """TCP ports that listen and UDP ports that are bound, in this network."""
        found = []
        for kind in "tcp", "tcp6", "udp", "udp6":
            with contextlib.suppress(OSError), open(f"/proc/net/{kind}") as table:
                for line in list(table)[1:]:
                    fields = line.split()
                    if kind.startswith("udp") or fields[3] == "0A":
                        found.append([kind[:3], int(fields[1].rpartition(":")[2], 16), int(fields[9])])
        return {"ports": found}

    def do_state(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """The program's exit status once it has ended, whether a process of it runs, and the CPU that they used."""
        if self._status is None and self._program:
            ended, status = os.waitpid(self._program, os.WNOHANG)
            if ended:
                self._status = os.waitstatus_to_exitcode(status)
        busy, ticks, processes = False, 0, 0
        for process in self._processes():
            with contextlib.suppress(OSError), open(f"/proc/{process}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
                busy |= fields[0] in "RD"
                ticks += int(fields[11]) + int(fields[12])
                processes += 1
        return {"status": self._status, "busy": busy, "ticks": ticks, "processes": processes}

    def _processes(self) -> list[int]:
        """All processes of the program."""
        if self._settings["level"] == "A":
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
        parents: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                    parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
        found, todo = [], [os.getpid()]
        while todo:
            children = parents.get(todo.pop(), [])
            found += children
            todo += children
        return found

    def do_signal(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """One signal to the program's processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._program, order["signal"])
        return {"ok": True}

    def do_read(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Part of a file of the program's folder from ``offset`` on, as latin-1 text; empty past its end."""
        path = os.path.join(self.work, os.path.basename(order["path"]))
        # Not through a link, nor from a FIFO: the program makes what stands there.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(opened, "rb") as file:
            file.seek(order["offset"])
            return {"text": file.read(LARGEST_MESSAGE // 8).decode("latin-1")}

    def do_write(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Make a file of the program's folder, which the program may change."""
        path = os.path.join(self.work, os.path.basename(order["path"]))
        with open(path, "wb") as file:
            file.write(order["text"].encode("latin-1"))
        os.chmod(path, 0o666)
        if self._settings["user"] is not None:
            os.chown(path, self._settings["user"], self._settings["user"])
        return {"ok": True}

    def do_end(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Kill what is left of the program."""
        self.end()
        return {"status": self._status}

    def end(self) -> None:
        """Kill every process of the program, those that it has made since too."""
        for _ in range(_MOST_ROUNDS):
            if self._settings["level"] == "A":
                with contextlib.suppress(OSError):
                    os.kill(-1, signal.SIGKILL)  # all of the namespace at once: none forks on between two signals
            processes = self._processes()
            for process in processes:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            self._reap()
            if not processes:
                break
            time.sleep(0.01)

    def _reap(self) -> None:
        """Take the status of each process that has ended. Waits for none: one that was forked meanwhile still runs."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._program and self._status is None:
                    self._status = os.waitstatus_to_exitcode(ended[1])


if __name__ == "__main__":
    nursery(int(sys.argv[1]))
