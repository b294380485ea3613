"""Copies of this machine: a network of their own, and what is changed in the system's folders is gone at the end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop import peers
from tests.interop.namespaces import inside, namespace

COPY = """
set -e
mount -t tmpfs tmpfs "$0"
for folder in /etc /opt /run /var/lib /var/log; do
    mkdir -p "$0$folder/upper" "$0$folder/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$0$folder/upper,workdir=$0$folder/work" "$folder"
done
rm -rf /etc/labnet /opt/labnet
sed -i '/^labnet:/d' /etc/passwd /etc/group /etc/shadow
printf '127.0.0.1 localhost\\n::1 localhost\\n' >/etc/hosts
sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf
echo ready
exec sleep infinity
"""
"""Puts what changes into the folder ``$0``, forgets an installed labnet, finds names as most machines do, and stays."""


@dataclass(frozen=True)
class Machine:
    """One of them, by its ``network`` and by the process that keeps it."""

    network: str
    pid: int

    def inside(self, *command: str) -> list[str]:
        """The command line that runs ``command`` there, in the folder /, as the same process."""
        return [peers.tool("nsenter", "util-linux"), f"--target={self.pid}", "--net", "--mount", *command]

    def write(self, path: str, text: str) -> None:
        """Put a file there, in the place of one or of a link."""
        command = self.inside("install", "-D", "-m", "644", "/dev/stdin", path)
        subprocess.run(command, input=text, text=True, check=True)

    def read(self, path: Path) -> str:
        """What a file has there."""
        return subprocess.run(self.inside("cat", str(path)), capture_output=True, text=True, check=True).stdout


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A new one, which ends with the ``with`` block; ``folder`` is an empty one that it hides."""
    with namespace() as network:
        command = inside(network, "bash", "-c", COPY, str(folder))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as keeper:
            try:
                assert keeper.stdout is not None
                said = keeper.stdout.readline()
                if said != "ready\n":
                    peers.unavailable(f"root makes no copy of this machine: {said.strip()}; run with CAP_SYS_ADMIN")
                yield Machine(network, keeper.pid)
            finally:
                keeper.kill()
