"""Started as root, and on as somebody else: low ports, and what is written belongs to whom it becomes."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, SCRIPT, Daemon
from tests.interop.plain import resolve

LAB = """
[command]
listen = ["tcp:{command}:interface={host}", "unix:{folder}/var/command.sock"]
[resolver.main]
listen = "udp:{resolver}:interface={host}"
records = "ips.txt"
learned = "main.learned"
parents = "text:127.0.0.1:{parent}"
[console]
listen = "unix:{folder}/var/console.sock"
[capture]
file = "own.pcapng"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can look into, as /var/lib is."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_the_user_of_uid_has_everything_but_the_ports(folder: Path) -> None:
    """As root it opens ports below 1024 and is nobody then: its state, its sockets and its log too, and it ends well.

    Who is not root opens other ports, and is who it was.
    """
    is_root = os.geteuid() == 0
    user = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.geteuid())
    host = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}.{secrets.randbelow(253) + 2}"
    command, resolver = (7, 53) if is_root else (7007, 5300)
    (folder / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    (folder / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
    shed = (f"--uid={user.pw_uid}", f"--gid={user.pw_gid}") if is_root else ()
    with Daemon("labnet-resolver", "0", "-1", "-1", "parent.txt", cwd=folder) as parent:
        number = parent.address("resolver resolver")[1]
        text = LAB.format(host=host, folder=folder, command=command, resolver=resolver, parent=number)
        (folder / "lab.toml").write_text(text)
        if is_root:
            (folder / "var").mkdir()
            (folder / "var/main.learned").write_text("www.old.example,1.1.1.1,60,0,1.0\n")
        for run in 1, 2:
            with Daemon(
                *shed, "--logfile=lab.log", "labnet", "--config=lab.toml", cwd=folder, command=SCRIPT
            ) as daemon:
                until_serves(folder / "lab.log", run)
                status = Path(f"/proc/{daemon.process.pid}/status").read_text()
                assert f"Uid:\t{user.pw_uid}\t{user.pw_uid}\t{user.pw_uid}" in status
                assert resolve((host, resolver), "www.google.co.il").startswith(b'["www.google.co.il", "21.09.1992.8"')
                with socket.create_connection((host, command), DEADLINE) as client:
                    assert client.recv(512).startswith(b"Connected")
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(DEADLINE)
                    client.connect(f"{folder}/var/command.sock")
                owned = [folder / "lab.log", folder / "var", *(folder / "var").iterdir()]
                assert {file.name for file in owned} >= {"main.learned", "command.sock", "control.sock", "console.sock"}
                assert {(file.stat().st_uid, file.stat().st_gid) for file in owned} == {(user.pw_uid, user.pw_gid)}
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in owned}
                assert (modes["command.sock"], modes["control.sock"], modes["console.sock"]) == (0o600, 0o600, 0o660)
                assert modes["own.pcapng"] & 0o007 == 0
                daemon.process.terminate()
                daemon.process.wait(DEADLINE)
            log = (folder / "lab.log").read_text()
            assert "Server Shut Down." in log
            assert not [line for line in log.splitlines() if "Traceback" in line or "cannot" in line], log
            assert not (folder / "var/command.sock").exists()
            assert "www.google.co.il,21.09.1992.8" in (folder / "var/main.learned").read_text()


def until_serves(log: Path, times: int) -> None:
    """Wait for the log to say that the resolver listens, for so many ``times`` in all."""
    until = time.monotonic() + DEADLINE
    while not log.exists() or log.read_text().count("resolver main listens on") < times:
        assert time.monotonic() < until, log.read_text() if log.exists() else "it says nothing"
        time.sleep(0.05)
