"""``labnet grade`` as it is typed: reports, files, a class, and what is wrong with a command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from labnet.cli import main
from tests.grade.bench import PROGRAMS, mutated
from tests.grade.mutants import MUTANTS
from tests.interop import peers

PLAIN = str(PROGRAMS / "command-client" / "plain.py")


def test_a_failure_has_status_1_and_its_capture_is_read_by_labnet_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report goes into the file, the capture into the folder; explain tells the four datagrams of the trace."""
    mutant = next(one for one in MUTANTS if one.check == "own-port")
    program = mutated(mutant, tmp_path)
    report, captures = tmp_path / "report.json", tmp_path / "captures"
    line = ["grade", "resolver", str(program), "--only", "own-port", "--seed", "3", "--format", "json"]
    assert main([*line, "-o", str(report), "--capture", str(captures)]) == 1
    told = json.loads(report.read_text())
    assert [check["id"] for check in told["checks"] if check["outcome"] == "failed"] == ["own-port"]
    assert (told["seed"], told["status"]) == (3, 1)
    assert main(["explain", str(captures / "own-port.pcapng")]) == 0
    assert "asks its parent" in capsys.readouterr().out


def test_a_class_has_a_row_for_each_and_a_bad_one_costs_nobody_else_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The CSV, the index and a page each; formulas and markup in names are harmless."""
    handed_in = tmp_path / "submissions"
    handed_in.mkdir()
    shutil.copy(PLAIN, handed_in / "ada.py")
    (handed_in / "=cmd()<b>.py").write_text("raise SystemExit(3)\n")
    (handed_in / "empty").mkdir()
    (handed_in / "folder").mkdir()
    shutil.copy(PLAIN, handed_in / "folder" / "client.py")
    into = tmp_path / "grades"
    line = ["grade", "command-client", "--class", str(handed_in), "--into", str(into), "--only", "reply", "--jobs", "2"]
    assert main(line) == 1
    assert "4 submissions" in capsys.readouterr().out
    rows = {row["student"]: row for row in csv.DictReader((into / "grades.csv").open(encoding="utf-8"))}
    assert set(rows) == {"ada", "'=cmd()<b>", "empty", "folder"}
    assert rows["ada"]["score"] == rows["folder"]["score"] == rows["ada"]["max_score"]
    assert rows["'=cmd()<b>"]["first_cause"].startswith("connects: ")
    assert "there is no file in it" in rows["empty"]["our_trouble"]
    index = (into / "index.html").read_text()
    assert "=cmd()&lt;b&gt;" in index
    assert "<b>" not in index
    assert (into / "ada.py.html").is_file()


def _passes_its_greeting(folder: Path) -> bool:
    return main(["grade", "command", str(folder), "--only", "greeting"]) == 0


def test_a_java_program_of_several_files_is_compiled_whole(tmp_path: Path) -> None:
    """In a package, with a comment that speaks of another class; the file of the role is what is started."""
    peers.tool("javac", "default-jdk-headless")
    text = (
        (PROGRAMS / "command" / "Server.java").read_text().replace("say(client, ctime())", "say(client, Clock.now())")
    )
    (tmp_path / "Server.java").write_text(f"/* no class Other */\npackage net.lab;\n{text}")
    (tmp_path / "Clock.java").write_text('package net.lab;\nclass Clock { static String now() { return ""; } }\n')
    assert _passes_its_greeting(tmp_path)


def test_a_java_program_that_javac_does_not_take_is_run_from_its_source(tmp_path: Path) -> None:
    """As ``java server.java`` runs a public class of another name than its file's."""
    peers.tool("javac", "default-jdk-headless")
    shutil.copy(PROGRAMS / "command" / "Server.java", tmp_path / "server.java")
    assert _passes_its_greeting(tmp_path)


def test_a_c_program_of_several_files_is_linked_of_all_of_them(tmp_path: Path) -> None:
    """Those without a ``main`` are parts of those with one."""
    peers.tool("gcc", "gcc")
    text = (PROGRAMS / "command" / "server.c").read_text()
    (tmp_path / "server.c").write_text(f"int port_of(const char *);\n{text.replace('atoi(', 'port_of(')}")
    (tmp_path / "ports.c").write_text("#include <stdlib.h>\nint port_of(const char *text) { return atoi(text); }\n")
    assert "port_of(" in (tmp_path / "server.c").read_text().split("\n", 1)[1]
    assert _passes_its_greeting(tmp_path)


@pytest.mark.parametrize("form", ["text", "html", "json", "junit", "gradescope", "classroom50"])
def test_every_format_is_printed(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, since all that was asked for passed."""
    assert main(["grade", "command-client", PLAIN, "--only", "connects", "--format", form]) == 0
    assert "connects" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["comand", PLAIN], "is no assignment"),
        (["command", "/nowhere.py"], "/nowhere.py: cannot be read"),
        (["command", PLAIN, "--only", "tiem"], "command has no check 'tiem'"),
        (["command"], "the PROGRAM to be graded is missing"),
        (["show"], "which assignment"),
        (["command", "--class", "/nowhere"], "/nowhere: No such file or directory"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, no traceback."""
    assert main(["grade", *line]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_what_there_is_can_be_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Every assignment, and a single check."""
    assert main(["grade", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert main(["grade", "show", "command:timeout"]) == 0
    assert capsys.readouterr().out.startswith("timeout: 15 seconds without a command close the connection (10 points)")
