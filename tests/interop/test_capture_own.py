"""The lab's own traffic: a real daemon and real clients write it, without any right, and it is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.tshark import differences

LABNET = str(Path(sys.executable).with_name("labnet"))

LAB = """
[capture]
file = "own.pcapng"
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "ips.txt"
parents = "text:127.0.0.1:{port}"
[resolver.other]
listen = "udp:0:interface=127.0.0.1"
"""


def labnet(*arguments: str) -> str:
    done = subprocess.run([LABNET, *arguments], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_lab_writes_what_it_sends_and_receives(tmp_path: Path) -> None:
    """The four packets and a session with EXIT, as the daemon saw them and as the clients did."""
    (tmp_path / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    config, resolved, commanded = tmp_path / "lab.toml", tmp_path / "client.pcapng", tmp_path / "command.pcapng"
    with Daemon("labnet-resolver", "0", "-1", "-1", "parent.txt", cwd=tmp_path) as parent:
        config.write_text(LAB.format(port=parent.address("resolver resolver")[1]))
        with Daemon("labnet", "--config", str(config), cwd=tmp_path) as lab:
            host, port = lab.address("resolver main")
            labnet("resolve", host, str(port), "www.google.co.il", "--capture", str(resolved))
            host, port = lab.address("command server")
            labnet("command", host, str(port), "TIME", "EXIT", "--capture", str(commanded))
    own = tmp_path / "var" / "own.pcapng"
    told = labnet("explain", str(own), "--packets", "0")
    assert re.search(
        r"frame 2: the server 127\.0\.0\.1:\d+ asks its parent 127\.0\.0\.1:\d+ for www.google.co.il", told
    )
    assert "the server answers: 21.09.1992.8" in told
    assert "the client sends the command 'EXIT'" in told
    assert "The server closed because of EXIT." in told
    assert "21.09.1992.8" in labnet("explain", str(resolved), "--packets", "0")
    assert "the client sends the command 'TIME'" in labnet("explain", str(commanded), "--packets", "0")
    for path in (own, resolved, commanded):
        count, problems = differences(path)
        assert problems == []
        assert count
