"""What becomes of the files under a real daemon: a disk that is full, or read-only, and other hands."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.soak.faults import Parents, ask

CONFIG = """
[lab]
state = "{folder}"
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
parents = "text:127.0.0.1:{course}"
learned = "{disk}/course.learned"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
parents = "dns:127.0.0.1:{dns}"
learned = "{disk}/dns.learned"
"""

AGAIN = "what was learned is kept in"
LOGS = {"course": "course.learned", "dns": "dns.learned.dns"}


class Lab:
    """A daemon with a log of each protocol on ``disk``, and its parents."""

    def __init__(self, folder: Path, disk: Path) -> None:
        self.parents = Parents()
        course, dns = (sock.getsockname()[1] for sock in (self.parents.course, self.parents.dns))
        config = folder / "lab.toml"
        config.write_text(CONFIG.format(folder=folder, disk=disk, course=course, dns=dns))
        self.daemon = Daemon("labnet", f"--config={config}", cwd=folder)
        self.disk = disk
        self.servers = {name: self.daemon.address(f"resolver {name}") for name in LOGS}
        self.learned: dict[str, list[str]] = {name: [] for name in LOGS}

    def learn(self, word: str, count: int = 5) -> None:
        """Have names asked for that nobody knows yet; all are answered."""
        for server, address in self.servers.items():
            for number in range(count):
                name = f"l{number}.{word}.{server}.test"
                assert ask(self.parents, address, name, server == "dns") == self.parents.address(name, 0)
                self.learned[server].append(name)

    def log(self, server: str) -> str:
        """What a log holds now."""
        return (self.disk / LOGS[server]).read_text()

    def has_all(self) -> bool:
        """Whether both logs hold everything that was learned."""
        return all(
            (name if server == "course" else _hex(name)) in self.log(server)
            for server, names in self.learned.items()
            for name in names
        )

    def said(self, words: str) -> int:
        """How often its log says that."""
        return self.daemon.log.count(words)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 200 kB."""
    peers.root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def _fill(hog: Path) -> None:
    """Take all the room that is left."""
    with hog.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 512)


def _hex(name: str) -> str:
    return "".join(f"{len(label):02x}{label.encode().hex()}" for label in name.split("."))


def _becomes_true(what: Callable[[], bool]) -> float:
    """The seconds until that is so."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < DEADLINE, "it does not recover"
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.soak
def test_a_full_disk(tmp_path: Path, disk: Path) -> None:
    """Everything is answered, it is said once for each log, and a moment after there is room all is on the disk."""
    lab = Lab(tmp_path, disk)
    with lab.daemon:
        lab.learn("before")
        for _ in range(2):
            said = lab.said("cannot keep what was learned")
            hog = disk / "hog"
            _fill(hog)
            lab.learn("full" + "x" * 50 + str(said), 100)
            time.sleep(3)
            assert lab.said("cannot keep what was learned") == said + 2
            assert not lab.has_all()
            hog.unlink()
            print(f"\nall on the disk {_becomes_true(lab.has_all):.1f} s after there was room")
            _becomes_true(lambda said=said: lab.said(AGAIN) == said + 2)
        lab.learn("after")
        assert lab.has_all()
    lab.parents.close()


@pytest.mark.soak
def test_a_disk_that_becomes_read_only(tmp_path: Path, disk: Path) -> None:
    """Everything is answered, it is said once for each log, and all is written when the disk can be written again."""
    lab = Lab(tmp_path, disk)
    with lab.daemon:
        lab.learn("before")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        lab.learn("readonly", 50)
        time.sleep(3)
        assert lab.said("Read-only file system; it is kept in memory") == 2
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        print(f"\nall on the disk {_becomes_true(lab.has_all):.1f} s after it could be written")
        lab.learn("after")
        assert lab.has_all()
        assert lab.said("cannot keep") == lab.said(AGAIN) == 2
    lab.parents.close()


@pytest.mark.soak
def test_other_hands(tmp_path: Path) -> None:
    """A log that is edited, replaced or deleted goes on with the next answer; what somebody wrote into it stays."""
    lab = Lab(tmp_path, tmp_path)
    course = tmp_path / LOGS["course"]
    with lab.daemon:
        lab.learn("before")
        with course.open("a") as file:
            file.write("# by hand\n")
        lab.learn("edited")
        _becomes_true(lab.has_all)  # a file that others changed is written anew, in turns
        assert "# by hand\n" in lab.log("course")
        for server in LOGS:
            (tmp_path / "other").write_text("# theirs\n" if server == "course" else "")
            (tmp_path / "other").rename(tmp_path / LOGS[server])
        lab.learn("replaced")
        _becomes_true(lab.has_all)  # a file that others changed is written anew, in turns
        assert lab.log("course").startswith("# theirs\n")
        for log in LOGS.values():
            (tmp_path / log).unlink()
        lab.learn("deleted")
        _becomes_true(lab.has_all)  # a file that others changed is written anew, in turns
        assert lab.said("cannot keep") == 0
    lab.parents.close()
