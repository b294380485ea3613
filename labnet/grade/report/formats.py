"""A grade for other programs: JSON, JUnit, Gradescope, Classroom 50. The totals are the same in all of them."""

from __future__ import annotations

import datetime
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any, Final

from labnet.grade.model import Evidence, Grade, Outcome, Result
from labnet.grade.report.evidence import Detail, lines_of
from labnet.grade.report.text import line_of, summary

_NO_XML: Final = {code: "�" for code in (*range(0x20), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)) if code not in (9, 10)}
"""Characters that XML 1.0 cannot hold, in any spelling."""


def as_json(grade: Grade) -> str:
    """Everything, bytes as hex."""
    return json.dumps(
        {
            "schema": "labnet/grade/1",
            "assignment": grade.assignment,
            "title": grade.title,
            "program": grade.program,
            "level": grade.level,
            "seed": grade.seed,
            "began": grade.began,
            "seconds": round(grade.seconds, 3),
            "score": grade.score,
            "max_score": grade.most,
            "hidden": grade.hidden,
            "status": grade.status,
            "checks": [_result(result) for result in grade.results],
        },
        indent=2,
    )


def _result(result: Result) -> dict[str, Any]:
    return {
        "id": result.check.id,
        "title": result.check.title,
        "sentence": result.check.sentence,
        "outcome": str(result.outcome),
        "points": result.points,
        "max_points": result.check.points,
        "seen": result.seen,
        "cause": result.cause,
        "blocked_by": result.blocked_by,
        "runs": result.runs,
        "failures": result.failures,
        "seconds": round(result.seconds, 3),
        "expected": None if result.expected is None else result.expected.hex(),
        "got": None if result.got is None else result.got.hex(),
        "evidence": None if result.evidence is None else _evidence(result.evidence),
        "passing": None if result.passing is None or not result.failures else _evidence(result.passing),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "argv": evidence.argv,
        "status": evidence.status,
        "output": evidence.output.decode(errors="backslashreplace"),
        "errors": evidence.errors.decode(errors="backslashreplace"),
        "thrown_away": evidence.thrown_away,
        "events": [
            {
                "time": event.time,
                "from": event.source,
                "to": event.target,
                "kind": event.kind,
                "note": event.note,
                "bytes": event.data.hex(),
            }
            for event in evidence.events
        ],
    }


def as_junit(grade: Grade, detail: Detail = Detail.FULL) -> str:
    """JUnit XML: blocked checks and those in trouble are skipped, unstable ones are failures that say so."""
    failures = len(grade.of(Outcome.FAILED)) + len(grade.of(Outcome.UNSTABLE))
    skipped = len(grade.of(Outcome.BLOCKED)) + len(grade.of(Outcome.TROUBLE))
    counts = {"tests": str(len(grade.results)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ElementTree.Element("testsuites", counts | {"time": f"{grade.seconds:.3f}"})
    name = f"labnet grade {grade.assignment}"
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, "time": f"{grade.seconds:.3f}"})
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in ("score", grade.score), ("max_score", grade.most), ("seed", grade.seed), ("level", grade.level):
        ElementTree.SubElement(properties, "property", {"name": key, "value": str(value)})
    for result in grade.results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": f"labnet.{grade.assignment}",
                "name": f"{result.check.id}: {result.check.title}",
                "time": f"{result.seconds:.3f}",
            },
        )
        if result.outcome in (Outcome.FAILED, Outcome.UNSTABLE):
            said = {"message": _xml(line_of(result)), "type": str(result.outcome)}
            ElementTree.SubElement(case, "failure", said).text = _xml("\n".join(lines_of(grade, result, detail)))
        elif result.outcome is not Outcome.PASSED:
            ElementTree.SubElement(case, "skipped", {"message": _xml(f"{result.outcome}: {result.seen}")})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return text.translate(_NO_XML)


def as_gradescope(grade: Grade, detail: Detail = Detail.FULL) -> str:
    """Gradescope's ``results.json``."""
    tests = []
    for number, result in enumerate(grade.results, 1):
        output = "\n".join([line_of(result), *lines_of(grade, result, detail)]) if detail is not Detail.TITLE else ""
        tests.append(
            {
                "name": result.check.title,
                "number": str(number),
                "score": result.points,
                "max_score": result.check.points,
                "status": "passed" if result.outcome in (Outcome.PASSED, Outcome.TROUBLE) else "failed",
                "output": output,
                "output_format": "text",
                "visibility": "visible",
                "tags": [result.check.id, str(result.outcome)],
            }
        )
    return json.dumps(
        {
            "score": grade.score,
            "execution_time": round(grade.seconds),
            "output": summary(grade),
            "output_format": "text",
            "stdout_visibility": "hidden",
            "tests": tests,
            "extra_data": {"level": grade.level, "seed": grade.seed},
        },
        indent=2,
    )


def as_classroom50(grade: Grade, environment: Mapping[str, str]) -> str:
    """Classroom 50's ``result.json`` (classroom50/result/v1), with what its runner says in ``environment``.

    Its scores are whole numbers: points are rounded, and the total is the sum of what was rounded.
    """
    tests: list[dict[str, Any]] = [
        {
            "test-name": f"{result.check.id}: {result.check.title}",
            "passed": result.outcome in (Outcome.PASSED, Outcome.TROUBLE),
            "score": round(result.points),
            "max-score": round(result.check.points),
        }
        for result in grade.results
    ]
    began = datetime.datetime.fromtimestamp(grade.began, datetime.UTC)
    commit = environment.get("COMMIT_URL", "local")
    return json.dumps(
        {
            "schema": "classroom50/result/v1",
            "classroom": environment.get("CLASSROOM", "local"),
            "assignment": environment.get("ASSIGNMENT", grade.assignment),
            "submission": environment.get("SUBMISSION_TAG", "local"),
            "commit": commit,
            "release": environment.get("RELEASE_URL", "local"),
            "review": environment.get("REVIEW_URL") or commit,
            "datetime": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": sum(test["score"] for test in tests),
            "max-score": sum(test["max-score"] for test in tests),
            "tests": tests,
        },
        indent=2,
    )
