"""The screen of ``labnet status``: forty resolvers on 80 columns and 24 lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.geometry import Size
from textual.pilot import Pilot
from textual.widgets import DataTable
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.control import ControlError
from labnet.console.rates import Snapshot
from labnet.console.screen import StatusScreen
from tests.console.test_status import a_status

DOWN = (7, 23)
"""The resolvers whose parent does not answer."""


def forty(at: float, down: tuple[int, ...] = DOWN, **changes: Any) -> Snapshot:
    """A lab of forty resolvers, ``at`` seconds after its start: number N answers N questions a second."""
    command, resolver = a_status()["services"]
    parent = resolver["parents"][0]
    services = [command]
    for number in range(1, 41):
        parents = [{**parent, "address": f"127.0.0.1:{1300 + number}", "up": number not in down}]
        listeners = [f"127.0.0.1:{1200 + number}"]
        services.append(resolver | {"name": f"student-{number:02}", "listeners": listeners, "parents": parents})
    samples = [
        ["labnet_queries_total", [f"student-{n:02}", "udp", "dns", "NOERROR", "ready"], n * at] for n in range(41)
    ]
    return Snapshot(at, a_status(services=services, **changes), samples)


class ScreenTests(SynchronousTestCase):
    """What is on it, and what keys do."""

    def play(
        self,
        script: Callable[[StatusScreen, Pilot[None]], Awaitable[None]],
        now: Snapshot | None = None,
        look: Callable[[], Snapshot] = lambda: forty(3.0),
    ) -> None:
        """Run the screen beside ``script``."""

        async def both() -> None:
            screen = StatusScreen(forty(1.0), now or forty(2.0), look)
            async with screen.run_test(size=(80, 24)) as pilot:
                while "Filter" not in self.lines(screen)[-1]:
                    await pilot.pause()
                await script(screen, pilot)

        asyncio.run(both())

    def lines(self, screen: StatusScreen) -> list[str]:
        """The 24 lines as they look."""
        self.assertEqual(screen.size, Size(80, 24))
        rows = [strip.text.rstrip() for strip in screen.screen._compositor.render_strips()]
        self.assertEqual((len(rows), max(map(len, rows)) <= 80), (24, True))
        return rows

    def names(self, screen: StatusScreen) -> list[str]:
        """The first column of the table, seen or not."""
        table = screen.query_one(DataTable)
        return [str(table.get_row_at(number)[0]) for number in range(table.row_count)]

    def test_troubles_are_first(self) -> None:
        """Above the table those of the lab, and in it the rows that have some; then the rest in its order."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            lines = self.lines(screen)
            self.assertTrue(lines[0].startswith("labnet 0.1.0  process 99  up 1 d 1 h  /etc/labnet/labnet.toml"))
            self.assertEqual(
                lines[1:3],
                [
                    "now  student-07: 1 of 1 parents down: 127.0.0.1:1307",
                    "now  student-23: 1 of 1 parents down: 127.0.0.1:1323",
                ],
            )
            self.assertIn(" Services 41    Parents 40", lines)
            shown = [line.split()[0] for line in lines if line.startswith((" student", " command"))]
            self.assertEqual(shown[:4], ["student-07", "student-23", "command", "student-01"])
            self.assertEqual(lines[-2], "student-07: listens on 127.0.0.1:1207; learned 2.5 MB; parents 1, 1 down")
            self.assertIn("/ Filter", lines[-1])

        self.play(script)

    def test_many_troubles_leave_room_for_the_table(self) -> None:
        """They are scrolled."""
        logged = [{"at": 60.0, "level": "warn", "text": f"trouble {n}", "times": 2} for n in range(200)]

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            lines = self.lines(screen)
            self.assertIn("2 times  trouble 199", "\n".join(lines))
            self.assertEqual(len([line for line in lines if "trouble" in line]), 4)
            self.assertIn("student-01", "\n".join(lines))

        self.play(script, forty(2.0, troubles=logged))

    def test_a_lab_that_is_well_says_so(self) -> None:
        """In one line."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            self.assertEqual(self.lines(screen)[1], "no warnings, no errors")

        self.play(script, forty(2.0, down=()))

    def test_the_last_of_forty_is_reached(self) -> None:
        """By scrolling."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            self.assertNotIn("student-40", "\n".join(self.lines(screen)))
            await pilot.press("ctrl+end")
            await pilot.pause()
            lines = self.lines(screen)
            self.assertTrue(any(line.startswith(" student-40") for line in lines))
            self.assertTrue(lines[-2].startswith("student-40: "))

        self.play(script)

    def test_a_filter_keeps_the_rows_that_hold_a_text(self) -> None:
        """Enter goes back to them, Escape shows all again."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            await pilot.press("slash", *"student-2")
            self.assertEqual(self.names(screen)[0], "student-23")
            self.assertEqual(len(self.names(screen)), 10)
            await pilot.press("enter", "s")  # no letter of the filter any more
            self.assertEqual(self.names(screen)[0], "student-20")
            await pilot.press("escape")
            self.assertEqual(len(self.names(screen)), 41)

        self.play(script)

    def test_columns_are_sorted_one_after_the_other(self) -> None:
        """Numbers from the largest; ``r`` turns them round; behind the last column troubles are first again."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            await pilot.press("s")
            self.assertEqual(self.names(screen)[:2], ["command", "student-01"])
            await pilot.press("s", "s")
            self.assertIn("queries/s ▼", "\n".join(self.lines(screen)))
            self.assertEqual(self.names(screen)[:2], ["student-40", "student-39"])
            await pilot.press("r")
            self.assertEqual(self.names(screen)[:2], ["command", "student-01"])
            await pilot.press("s", "s", "s", "s", "s")
            self.assertEqual(self.names(screen)[:2], ["student-07", "student-23"])

        self.play(script)

    def test_a_click_on_a_head_sorts_by_it_and_another_turns_it_round(self) -> None:
        """As people expect it."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            await pilot.click(DataTable, offset=(30, 0))
            await pilot.pause()
            self.assertEqual(self.names(screen)[0], "student-40")
            await pilot.click(DataTable, offset=(30, 0))
            await pilot.pause()
            self.assertEqual(self.names(screen)[0], "command")

        self.play(script)

    def test_the_other_tables(self) -> None:
        """One after the other."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            await pilot.press("t")
            text = "\n".join(self.lines(screen))
            self.assertRegex(text, r"student-07 +\. +127\.0\.0\.1:1307 +down ")
            await pilot.press("t")
            self.assertIn("queries/s", "\n".join(self.lines(screen)))

        self.play(script)

    def test_a_new_look_keeps_the_place(self) -> None:
        """The cursor stays at its row although another row comes before it, and figures are those of now."""

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            await pilot.press("slash", *"student-3", "enter", "down", "down")
            screen.look()
            await screen.workers.wait_for_complete()
            await pilot.pause()
            self.assertEqual(self.names(screen)[0], "student-39")
            self.assertTrue(self.lines(screen)[-3].startswith("student-32: "), self.lines(screen)[-3])
            self.assertRegex("\n".join(self.lines(screen)), r"student-30 +running +30 ")

        self.play(script, look=lambda: forty(4.0, down=(39,)))

    def test_a_lab_that_goes_is_a_trouble_and_the_last_look_stays(self) -> None:
        """Until it is there again."""
        looks: list[Snapshot | ControlError] = [ControlError("no lab runs here"), forty(5.0)]

        def look() -> Snapshot:
            found = looks.pop(0)
            if isinstance(found, ControlError):
                raise found
            return found

        async def script(screen: StatusScreen, pilot: Pilot[None]) -> None:
            for first in "now  no lab runs here", "now  student-07: 1 of 1 parents down: 127.0.0.1:1307":
                screen.look()
                await screen.workers.wait_for_complete()
                await pilot.pause()
                self.assertEqual(self.lines(screen)[1], first)
                self.assertEqual(len(self.names(screen)), 41)

        self.play(script, look=look)

    def test_q_and_ctrl_c_end_it(self) -> None:
        """Also while a filter is typed."""
        for keys in (["q"], ["ctrl+c"], ["slash", "ctrl+c"]):

            async def script(screen: StatusScreen, pilot: Pilot[None], keys: list[str] = keys) -> None:
                await pilot.press(*keys)
                await pilot.pause()
                self.assertFalse(screen.is_running)

            self.play(script)
