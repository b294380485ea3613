"""What the screen of ``labnet status`` shows, as rows."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.overview import Table, Trouble, tables, troubles
from labnet.console.rates import Snapshot
from tests.console.test_status import BEFORE, NOW, a_status


def of(name: str, before: Snapshot = BEFORE, now: Snapshot = NOW) -> Table:
    """The table of that name."""
    (found,) = [table for table in tables(before, now) if table.name == name]
    return found


def cells(table: Table, *arguments: Any) -> list[str]:
    """Each row that is shown, in a line."""
    return [" ".join(row.cells) for row in table.shown(*arguments)]


WORKERS = [
    {"number": 1, "pid": 12345, "up": True, "answers": True, "restarts": 2, "queries": 1300},
    {"number": 2, "pid": 6, "up": True, "answers": False, "restarts": 0, "queries": 0},
    {"number": 3, "pid": None, "up": False, "restarts": 0, "queries": 0},
]


ZONES = [
    {"resolver": "main", "zone": "a.test", "state": "served", "serial": 5, "primary": "192.0.2.1:53", "next": 60.0}
    | {"expires": 86400.0, "problem": ""},
    {"resolver": "main", "zone": "b.test", "state": "never had", "serial": None, "primary": "", "next": 9.6}
    | {"expires": None, "problem": "192.0.2.1:53: it cannot be reached"},
]


class TroublesTests(SynchronousTestCase):
    """What is wrong."""

    def test_what_is_wrong_now_comes_before_the_log(self) -> None:
        """Parents and workers that are down, a command server that EXIT has closed; then the log, newest first."""
        logged = [
            {"at": 5.0, "level": "warn", "text": "older", "times": 1},
            {"at": 60.0, "level": "error", "text": "newer", "times": 3},
        ]
        reload = {"at": 60.0, "problems": ["older", "no such key"], "done": 0, "failed": 1}
        status = a_status(troubles=logged, reload=reload, workers=WORKERS)
        status["services"][0]["state"] = "closed by EXIT"
        self.assertEqual(
            troubles(status),
            [
                Trouble(None, "", "EXIT has closed the command server: labnet command-server open opens it again"),
                Trouble(None, "", "main: 1 of 2 parents down: 192.0.2.2:53"),
                Trouble(None, "", "worker 2 does not answer"),
                Trouble(None, "", "worker 3 is down"),
                Trouble(60.0, "", "the last reload failed: no such key"),
                Trouble(60.0, "3 times", "newer"),
                Trouble(5.0, "", "older"),
            ],
        )

    def test_zones_of_other_servers_that_are_not_there_are_a_trouble(self) -> None:
        """With the reason, if there is one."""
        status = a_status(secondary=[*ZONES, {**ZONES[0], "state": "expired"}])
        status["services"][1]["parents"] = []
        reached = "main: the zone b.test is not answered from: never had: 192.0.2.1:53: it cannot be reached"
        expired = "main: the zone a.test is not answered from: expired"
        self.assertEqual([trouble.text for trouble in troubles(status)], [reached, expired])

    def test_a_lab_that_is_well_has_none(self) -> None:
        """Nothing is made up."""
        status = a_status()
        status["services"][1]["parents"] = []
        self.assertEqual(troubles(status), [])


class TablesTests(SynchronousTestCase):
    """Rows and their order."""

    def test_services_with_troubles_are_first(self) -> None:
        """Each resolver with its figures; the command server has none of them, but sessions."""
        table = of("Services")
        self.assertEqual(cells(table), ["main parent down 1,000 90% 7 1,234 42", "command running - - - - -"])
        self.assertEqual(
            [row.detail for row in table.shown()],
            [
                "listens on 127.0.0.1:53; learned 2.5 MB; parents 2, 1 down",
                "listens on 127.0.0.1:8080; sessions: 1 served, 3 waiting",
            ],
        )

    def test_a_closed_command_server_is_a_trouble(self) -> None:
        """It listens nowhere."""
        status = a_status()
        status["services"][0] |= {"state": "closed by EXIT", "listeners": []}
        status["services"][1]["parents"] = [{**one, "up": False} for one in status["services"][1]["parents"]]
        table = of("Services", NOW, Snapshot(13.0, status, []))
        self.assertEqual(
            [(row.cells[1], row.is_troubled, row.detail) for row in table.rows],
            [
                ("closed by EXIT", True, "listens nowhere"),
                ("2 parents down", True, "listens on 127.0.0.1:53; learned 2.5 MB; parents 2, 2 down"),
            ],
        )

    def test_zones_of_other_servers_have_a_table_where_there_are_any(self) -> None:
        """With serial and times; those that are not there are first."""
        table = of("Zones of others", BEFORE, Snapshot(12.0, a_status(secondary=ZONES), []))
        self.assertEqual(cells(table), ["main b.test never had - 10 -", "main a.test served 5 60 86,400"])
        self.assertEqual([row.detail for row in table.shown()], [ZONES[1]["problem"], "from 192.0.2.1:53"])

    def test_parents_and_workers_have_a_table_where_there_are_any(self) -> None:
        """Those that are down are first."""
        status = a_status(workers=WORKERS)
        status["services"][1]["parents"][1]["asked_again_in"] = 4.4
        now = Snapshot(12.0, status, [])
        before = Snapshot(10.0, a_status(workers=[{**WORKERS[0], "queries": 100}]), [])
        self.assertEqual(
            cells(of("Parents", before, now)), ["main . 192.0.2.2:53 down - 0", "main . 192.0.2.1:53 up 12 0"]
        )
        self.assertEqual(of("Parents", before, now).shown()[0].detail, "asked again in 4 s")
        self.assertEqual(
            cells(of("Workers", before, now)),
            ["worker 2 no answer 0 0 6", "worker 3 down 0 0 -", "worker 1 up 600 2 12345"],
        )
        self.assertEqual(of("Workers", now, now).rows[0].cells[2], "-")
        self.assertEqual(
            [table.name for table in tables(BEFORE, Snapshot(12.0, a_status(services=[]), []))], ["Services"]
        )

    def test_rows_are_found_by_any_cell_or_detail(self) -> None:
        """In any case."""
        self.assertEqual(cells(of("Services"), "MAIN"), ["main parent down 1,000 90% 7 1,234 42"])
        self.assertEqual(cells(of("Services"), ":8080"), ["command running - - - - -"])
        self.assertEqual(cells(of("Services"), "nothing"), [])

    def test_rows_are_sorted_by_what_they_mean(self) -> None:
        """Numbers as numbers, and none as less than any."""
        table = of("Parents")
        self.assertEqual([row.cells[2] for row in table.shown("", 2)], ["192.0.2.1:53", "192.0.2.2:53"])
        self.assertEqual([row.cells[2] for row in table.shown("", 2, True)], ["192.0.2.2:53", "192.0.2.1:53"])
        self.assertEqual([row.cells[4] for row in table.shown("", 4)], ["-", "12"])
        self.assertEqual([row.cells[4] for row in table.shown("", 4, True)], ["12", "-"])

    def test_nothing_that_a_terminal_obeys_gets_through(self) -> None:
        """Names come from a file."""
        status = a_status()
        status["services"][0]["name"] = "a\x1b[2J"
        row = of("Services", NOW, Snapshot(13.0, status, [])).rows[0]
        self.assertEqual(row.cells[0], r"a\x1b[2J")
