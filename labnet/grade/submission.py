"""A student's program: one file or a folder, and how each of its roles is started."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labnet.grade.sandbox.levels import Level
from labnet.grade.sandbox.world import Sandbox

MOST_SECONDS: Final = 60
"""Seconds that a compiler may take."""

MOST_FILES: Final = 500
MOST_BYTES: Final = 16 << 20
"""A submission larger than that is no program of a course."""

_STARTED_BY: Final = {".py": "python3 {file}", ".js": "node {file}", ".java": "java {file}", ".jar": "java -jar {file}"}
_JAR: Final = "labnet-classes.jar"
_JAVAC: Final = f"javac -nowarn -d labnet-classes *.java && jar --create --file {_JAR} -C labnet-classes ."
_IN_JAR: Final = f"java -XX:TieredStopAtLevel=1 -cp {_JAR} "
_COMPILED: Final = (".c",)
_ROLES: Final = {
    "server": ("server.py", "server.js", "Server.java", "server.c", "ts.py"),
    "resolver": ("resolver.py", "resolver.js", "Resolver.java", "resolver.c"),
    "client": ("client.py", "client.js", "Client.java", "client.c"),
    "ts": ("ts.py", "TS.java", "ts.c", "ts.js"),
    "rs": ("rs.py", "RS.java", "rs.c", "rs.js"),
}
_ALONE: Final = ("main.py", "Main.java", "main.c", *_ROLES["server"], *_ROLES["resolver"], *_ROLES["client"])
"""How the one program of an assignment is called, most telling name first."""


class SubmissionError(Exception):
    """The program cannot be run as it is; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """What ``argv`` makes of the sources in its folder: the file ``target``; ``is_needed`` if nothing runs without."""

    argv: list[str]
    target: str
    is_needed: bool = True


@dataclass(slots=True)
class Submission:
    """``folder`` is our copy of it; ``run`` a command line with ``{file}`` and ``{role}``, or None to find out."""

    name: str
    folder: str
    run: str | None = None
    given: str = ""
    """How a command line names it, with how it is run."""
    problem: str = ""
    """Why it cannot be run at all, as its compiler says."""
    _commands: dict[str, list[str]] = field(default_factory=dict)

    @property
    def readable(self) -> list[str]:
        """Folders that it needs beside the system's: an interpreter's, where ``run`` names one by its path."""
        first = shlex.split(self.run)[0] if self.run else ""
        return [str(Path(first).parent.parent)] if first.startswith("/") else []

    def command(self, role: str, arguments: list[str]) -> list[str]:
        """The command line that starts ``role`` with ``arguments``. Raises :class:`SubmissionError`."""
        if self.problem:
            raise SubmissionError(self.problem)
        if role not in self._commands:
            self._commands[role] = self._found(role)
        return [*self._commands[role], *arguments]

    def _found(self, role: str) -> list[str]:
        file = self._file(role)
        if self.run is not None:
            return [
                part.replace("{file}", file).replace("{role}", role)
                for part in shlex.split(self.run)
                if part not in ("{port}", "…", "...")
            ]
        path = Path(self.folder, file)
        template = _STARTED_BY.get(path.suffix)
        if template is None:
            if path.suffix in _COMPILED:
                return [f"./{path.stem}"]
            if not os.access(path, os.X_OK):
                raise SubmissionError(f"{file} is neither a program that can be run nor in a known language: say --run")
            return [f"./{file}"]
        if path.suffix == ".py" and _is_python2(path):
            template = "python2 {file}"
        if path.suffix == ".java" and Path(self.folder, _JAR).exists():
            template = _IN_JAR + _first_class(path)
        return [part.replace("{file}", file) for part in template.split()]

    def _file(self, role: str) -> str:
        files = sorted(entry.name for entry in os.scandir(self.folder) if entry.is_file())
        wanted = _ROLES.get(role, (f"{role}.py",)) if role else _ALONE
        for name in wanted:
            if name in files:
                return name
        programs = [name for name in files if Path(name).suffix in _STARTED_BY or Path(name).suffix in _COMPILED]
        candidates = programs or files
        if len(candidates) == 1:
            return candidates[0]
        missing = f"for the {role} " if role else ""
        raise SubmissionError(
            f"{self.name}: which of its {len(files)} files is to be started {missing}cannot be told: "
            f"name it {wanted[0]}, or say --run 'python3 YOUR_FILE'"
        )

    def compilations(self) -> list[Compilation]:
        """What has to be compiled, in the program's folder, before anything else.

        Each C file with a ``main`` is a program, with all others in it. Java runs from its sources too, where they are
        one file and not what javac takes: a class is then compiled each time it is started.
        """
        if self.run is not None:
            return []
        files = sorted(entry.name for entry in os.scandir(self.folder))
        sources = [name for name in files if name.endswith(".c")]
        programs = [name for name in sources if _has_main(Path(self.folder, name))] or sources
        parts = [name for name in sources if name not in programs]
        found = [
            Compilation(["gcc", "-O1", "-o", Path(name).stem, name, *parts, "-lpthread"], Path(name).stem)
            for name in programs
        ]
        if any(name.endswith(".java") for name in files) and shutil.which("javac"):
            found.append(Compilation(["sh", "-c", _JAVAC], _JAR, is_needed=False))
        return found


def _has_main(path: Path) -> bool:
    return re.search(rb"\bmain\s*\(", path.read_bytes()) is not None


def _first_class(path: Path) -> str:
    """The class that ``java FILE`` starts: the first of the file, with its package."""
    text = re.sub(r"(?s)/\*.*?\*/|//[^\n]*", "", path.read_text("utf-8", "replace"))
    package = re.search(r"^\s*package\s+([\w.]+)\s*;", text, re.MULTILINE)
    name = re.search(r"\b(?:class|record|enum|interface)\s+(\w+)", text)
    return (f"{package[1]}." if package else "") + (name[1] if name else path.stem)


def _is_python2(path: Path) -> bool:
    """Whether the program is written for Python 2, and there is one."""
    text = path.read_bytes()
    is_old = b"python2" in text.split(b"\n", 1)[0] or re.search(rb"(?m)^[ \t]*print[ \t]+[\"'a-zA-Z]", text)
    return bool(is_old) and shutil.which("python2") is not None


def compile_sources(submission: Submission, level: Level) -> None:
    """Compile what has to be, in a world of its own; what the compiler says becomes the submission's problem.

    Raises :class:`~labnet.grade.sandbox.levels.SandboxError` where there is no such world.
    """
    for compilation in submission.compilations():
        argv, problem = compilation.argv, ""
        sandbox = Sandbox(level, submission.folder)
        try:
            _, errors = sandbox.start(argv)
            until = time.monotonic() + MOST_SECONDS
            while (status := sandbox.state()["status"]) is None and time.monotonic() < until:
                time.sleep(0.02)
            if status:
                sandbox.end()
                said = errors.data.decode(errors="replace").strip() or f"status {status}"
                problem = f"{' '.join(argv)} fails: {said}"
            elif status is None:
                problem = f"{' '.join(argv)} has not ended after {MOST_SECONDS} s"
            else:
                target = Path(submission.folder, compilation.target)
                target.write_bytes(sandbox.file(target.name))
                target.chmod(0o755)
        except OSError as error:
            problem = f"{' '.join(argv)} leaves no program: {error.strerror}"
        finally:
            sandbox.close()
        if compilation.is_needed:
            submission.problem = submission.problem or problem


def collect(paths: list[str], run: str | None, into: str) -> Submission:
    """The submission of the files and folders ``paths``, copied below the folder ``into``.

    Links are followed only inside a folder, devices and sockets left out. Raises :class:`SubmissionError` for what is
    not there, too large, or of too many files.
    """
    folder = tempfile.mkdtemp(dir=into)
    os.chmod(folder, 0o755)
    total = 0
    count = 0
    for given in paths:
        base = Path(given)
        try:
            found = [base] if not base.is_dir() else sorted(base.rglob("*"))
            for path in found:
                info = path.lstat()
                if not stat.S_ISREG(info.st_mode):
                    if not base.is_dir():
                        raise SubmissionError(f"{given}: it is no regular file or folder")
                    continue
                total += info.st_size
                count += 1
                if count > MOST_FILES or total > MOST_BYTES:
                    raise SubmissionError(
                        f"{given}: more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: hand in the program alone"
                    )
                target = Path(folder, path.relative_to(base) if base.is_dir() else path.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(info.st_mode & 0o777 | 0o644)
        except OSError as error:
            raise SubmissionError(f"{error.filename or given}: cannot be read: {error.strerror}") from None
    if not count:
        raise SubmissionError(f"{', '.join(paths)}: there is no file in it")
    given = shlex.join(paths) + (f" --run {shlex.quote(run)}" if run else "")
    return Submission(Path(paths[0]).name, folder, run, given)
