"""Virtual environments that hold what labnet depends on and nothing of labnet, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.interop import peers
from tests.interop.daemon import DEADLINE, environment

ROOT = Path(__file__).resolve().parents[2]
OURS = ("labnet", "txlabnet", "__editable__", "__pycache__")

TWISTD = """\
#!{python}
import sys
from twisted.scripts.twistd import run
sys.exit(run())
"""


def checkout(into: Path) -> Path:
    """A copy of this checkout as git knows it, without anything that was built or installed in it."""
    command = [peers.tool("git", "git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        peers.unavailable(f"this is no git checkout: {listed.stderr.strip()}")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)
    return into


@dataclass(frozen=True)
class Venv:
    """A fresh virtual environment."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Venv:
        """A new one in ``folder``, with this environment's packages less labnet, and with twistd's script."""
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=2 * DEADLINE
        )
        venv = cls(folder / "venv")
        packages = folder / "dependencies"
        packages.mkdir()
        for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if not entry.name.startswith(OURS) and entry.suffix != ".pth":
                (packages / entry.name).symlink_to(entry)
        # Twisted writes a cache of the plugins that it finds into this folder, so it is this environment's own.
        (packages / "twisted").unlink()
        shutil.copytree(
            Path(sysconfig.get_paths()["purelib"]) / "twisted",
            packages / "twisted",
            ignore=shutil.ignore_patterns("test", "labnet_plugin*", "dropin.cache", "__pycache__"),
        )
        venv.site.joinpath("dependencies.pth").write_text(f"{packages}\n")
        venv.bin("twistd").write_text(TWISTD.format(python=venv.bin("python")))
        venv.bin("twistd").chmod(0o755)
        return venv

    @property
    def site(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def bin(self, name: str) -> Path:
        return self.folder / "bin" / name

    def pip(self, *arguments: str | Path) -> None:
        """Run this environment's pip in that one."""
        pip = [sys.executable, "-m", "pip", "--python", self.bin("python"), "-q", "--disable-pip-version-check"]
        run = subprocess.run([*pip, *arguments], capture_output=True, text=True, env=plain(), timeout=4 * DEADLINE)
        assert run.returncode == 0, run.stderr

    def run(self, *command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment's ``bin`` in ``cwd``."""
        name, *arguments = command
        return subprocess.run(
            [self.bin(str(name)), *arguments],
            cwd=cwd,
            env=plain() | env,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )


def plain() -> dict[str, str]:
    """The environment of somebody who has set nothing for Python."""
    return {key: value for key, value in environment().items() if not key.startswith(("PYTHON", "COVERAGE"))}
