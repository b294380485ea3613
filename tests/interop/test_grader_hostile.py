"""Programs that mean harm, or cannot be run: each gets a result, and the next one is graded as if it had not been."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labnet.grade.model import Grade, Outcome
from labnet.grade.sandbox.levels import choose
from tests.grade.bench import PROGRAMS, graded

PLAIN = (PROGRAMS / "command" / "plain.py").read_text()

HARM = {
    "forks without end": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
    "fills the disk": (
        "for folder in '.', '/tmp', '/dev/shm':\n    for number in range(100):\n"
        "        with open(f'{folder}/{number}', 'wb') as file:\n            file.write(bytes(30 << 20))\n"
    ),
    "floods its output": "while True:\n    print('x' * 100000)\n",
    "eats memory": "taken = []\nwhile True:\n    taken.append(b'x' * (10 << 20))\n",
    "kills its parent": (
        "import os, signal, time\nfor process in os.getppid(), 1, -1:\n    try:\n"
        "        os.kill(process, signal.SIGKILL)\n    except OSError:\n        pass\ntime.sleep(60)\n"
    ),
    "opens another port": "import socket, time\ns = socket.create_server(('', 9797))\ntime.sleep(60)\n",
    "sleeps for ever": "import time\ntime.sleep(10000)\n",
    "needs its input": "name = input('what is your name? ')\n",
    "is Python 2": "print 'hello'\n",
    "ends at once": "",
    "is no text": "\x00\x01\x02",
    "prints escapes and markup": "print('\\x1b[2J<script>alert(1)</script>')\nraise SystemExit('\\x1b]0;x\\x07')\n",
}


def _write(folder: str, text: str, name: str = "server.py") -> Path:
    path = Path(folder, name)
    path.write_text(text)
    return path


def _left_behind(name: str) -> list[str]:
    """The processes that are still there a while after; the system ends those of a world behind its first one."""
    until = time.monotonic() + 20
    while (found := _processes(name)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _processes(name: str) -> list[str]:
    found = []
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                if name.encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                    found.append(process)
            except OSError:
                pass
    return found


def _told(grade: Grade) -> dict[str, Outcome]:
    return {result.check.id: result.outcome for result in grade.results}


@pytest.fixture(scope="module")
def harmed() -> dict[str, tuple[Grade, list[str]]]:
    """The grade of each of these programs, and the processes that are left of it; side by side, since they wait."""

    def one(kind: str) -> tuple[str, tuple[Grade, list[str]]]:
        name = f"harm{uuid.uuid4().hex}.py"
        with tempfile.TemporaryDirectory() as folder:
            return kind, (graded("command", _write(folder, HARM[kind], name), ("listens",)), _left_behind(name))

    with ThreadPoolExecutor(6) as pool:
        return dict(pool.map(one, HARM))


@pytest.mark.parametrize("kind", HARM)
def test_what_means_harm_fails_and_leaves_nothing_behind(kind: str, harmed: dict[str, tuple[Grade, list[str]]]) -> None:
    """It fails by its own doing, in bounded time and memory, and none of its processes outlives it."""
    grade, left = harmed[kind]
    assert _told(grade) == {"listens": Outcome.FAILED}
    result = grade.results[0]
    assert result.evidence is not None
    assert len(result.evidence.output) <= 64 * 1024
    assert left == []


def test_a_program_that_changes_itself_is_whole_again_for_the_next_check() -> None:
    """Each world has its own copy."""
    spoil = "\nopen(__file__, 'w').write('')\n"
    text = PLAIN.replace("running = True\n", f"running = True\n{spoil}")
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, text)
        grade = graded("command", path, ("client-closes",))
        assert path.read_text() == text
    assert set(_told(grade).values()) == {Outcome.PASSED}


def test_the_judges_files_cannot_be_read() -> None:
    """Neither the checks nor other submissions nor what lies in homes and temporary folders."""
    if choose().name != "A":
        pytest.skip("only level A hides the machine's own files")
    with tempfile.TemporaryDirectory() as folder:
        secret = _write(folder, "secret", "other-submission.py")
        looks = (
            f"import os\nfor path in {str(secret)!r}, {str(Path(__file__))!r}, '/root/.bashrc', '/home':\n"
            "    try:\n        print(open(path).read() if os.path.isfile(path) else os.listdir(path))\n"
            "    except OSError as error:\n        print('no', error)\n"
        )
        grade = graded("command", _write(folder, looks), ("listens",))
        output = grade.results[0].evidence.output.decode() if grade.results[0].evidence else ""
    assert output.count("no [Errno 2]") == 4, output


@pytest.mark.parametrize("level", ["C", "D"])
def test_a_lesser_level_grades_the_same(level: str) -> None:
    """Landlock or nothing: a program that conforms passes, with the record of the judge's sockets as its capture."""
    grade = graded("resolver", PROGRAMS / "resolver" / "plain.py", ("learns", "parent-argument"), level)
    assert grade.level in ("B", "C", "D")
    assert set(_told(grade).values()) == {Outcome.PASSED}
    passing = grade.results[0].passing
    assert passing is not None
    assert passing.capture[:4] == b"\x0a\x0d\x0d\x0a"


def test_landlock_keeps_a_program_from_files_that_are_not_its_own() -> None:
    """Level C or B: it can neither write elsewhere nor read a home."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "written")
        looks = (
            f"for path, mode in ({str(target)!r}, 'w'), ('/root/.profile', 'r'), ('mine', 'w'):\n"
            "    try:\n        open(path, mode)\n        print('yes', path)\n"
            "    except OSError as error:\n        print('no', path)\n"
        )
        path = _write(folder, looks)
        os.chmod(folder, 0o777)
        grade = graded("command", path, ("listens",), "C")
        assert not target.exists()
    if grade.level == "D":
        pytest.skip("this kernel has no Landlock")
    output = grade.results[0].evidence.output.decode() if grade.results[0].evidence else ""
    assert output.split() == ["no", str(target), "no", "/root/.profile", "yes", "mine"]


def test_what_cannot_be_started_is_said_in_one_sentence() -> None:
    """A file that is no program, a folder of forty files of which none is named as the assignment says."""
    with tempfile.TemporaryDirectory() as folder:
        plain = graded("command", _write(folder, "hello", "program"), ("listens",))
        for number in range(40):
            _write(folder, "", f"part{number}.py")
        many = graded("command", Path(folder), ("listens",))
    assert "neither a program that can be run nor in a known language" in plain.results[0].seen
    assert "which of its 41 files is to be started" in many.results[0].seen
    assert _told(many) == _told(plain) == {"listens": Outcome.FAILED}


def test_source_that_does_not_compile_fails_with_what_the_compiler_says() -> None:
    """Once, at the first check; the others are blocked."""
    with tempfile.TemporaryDirectory() as folder:
        grade = graded("command", _write(folder, "int main( {", "server.c"), ("time",))
    assert _told(grade) == {"listens": Outcome.FAILED, "time": Outcome.BLOCKED}
    assert "gcc -O1 -o server server.c -lpthread fails" in grade.results[0].seen
