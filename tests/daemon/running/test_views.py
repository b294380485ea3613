"""What a running lab shows of itself."""

from __future__ import annotations

from typing import Any

from tests.daemon.test_service import COMMAND, LabTestCase

MAIN = '[resolver.main]\nlisten = "udp:1199"\nrecords = "parent.txt"\nparents = "text:127.0.0.1:1200"\n'
PARENT = '[resolver.parent]\nlisten = "udp:1200"\nrecords = "parent.txt"\n'
FAR = '[resolver.far]\nlisten = "udp:1201"\nparents = "dns:192.0.2.53"\n'


class ViewsTests(LabTestCase):
    """Each view."""

    def setUp(self) -> None:
        super().setUp()
        self.running = self.started(COMMAND, MAIN, PARENT, FAR)

    def view(self, what: str, **arguments: Any) -> Any:
        return self.running.view(what, arguments)

    def test_the_lab_says_what_there_is(self) -> None:
        """All of it, or one resolver for who may see that alone."""
        lab = self.view("lab")
        self.assertEqual([one["name"] for one in lab["resolvers"]], ["main", "parent", "far"])
        self.assertEqual(lab["resolvers"][0]["parents"], ["127.0.0.1:1200"])
        self.assertEqual((lab["command"]["open"], lab["command"]["timeout"]), (True, 15.0))
        alone = self.view("lab", resolver="far")
        self.assertEqual(([one["name"] for one in alone["resolvers"]], alone["command"]), (["far"], None))

    def test_names_of_all_resolvers_come_a_part_at_a_time(self) -> None:
        """The cursor leads from one to the next."""
        seen, after = [], ""
        for _ in range(9):
            shown = self.view("names", limit=1, after=after)
            seen += [(row["resolver"], row["name"]) for row in shown["names"]]
            if not shown["more"]:
                break
            after = shown["next"]
        self.assertEqual(seen, [("main", "www.google.co.il"), ("parent", "www.google.co.il")])
        self.assertEqual(len(self.view("names", resolver="parent", kind="record")["names"]), 1)

    def test_a_cursor_or_kind_that_is_none_is_said(self) -> None:
        """Whatever it is."""
        for wrong in ({"after": "x"}, {"after": "1-2-3"}, {"after": "9" * 20 + "-1"}, {"kind": "x"}, {"resolver": "x"}):
            with self.assertRaises(LookupError):
                self.view("names", **wrong)

    def test_the_map_leads_from_resolver_to_parent(self) -> None:
        """Inside the lab and out of it."""
        shown = self.view("map")
        self.assertEqual([(edge["from"], edge["to"]) for edge in shown["edges"]], [
            ("resolver main", "resolver parent"), ("resolver far", "parent 192.0.2.53:53")
        ])  # fmt: skip
        kinds = [node["kind"] for node in shown["nodes"]]
        self.assertEqual(sorted(kinds), ["command", "parent", "resolver", "resolver", "resolver"])
        alone = self.view("map", resolver="far")
        self.assertEqual([node["id"] for node in alone["nodes"]], ["resolver far", "parent 192.0.2.53:53"])

    def test_sessions_and_parents_are_shown(self) -> None:
        """Points in time are those of the time of day."""
        self.reactor.connect("127.0.0.1", 5)
        (session,) = self.view("sessions")["sessions"]
        self.assertEqual((session["client"]["port"], session["left"]), (5, 15.0))
        self.view("close-session", id=session["id"])
        self.reactor.turn()
        self.assertEqual(self.view("sessions")["sessions"], [])
        self.assertEqual(len(self.view("parents")["parents"]), 2)

    def test_what_is_done_is_done_by_the_lab(self) -> None:
        """Flushed in one resolver or all; opened where it is closed."""
        self.assertEqual(self.view("flush", name="x.example"), 0)
        self.assertEqual(self.view("flush", name="x.example", resolver="main"), 0)
        self.assertEqual(self.view("open-command-server"), ["the command server is open"])
        with self.assertRaises(LookupError):
            self.view("ask-parent", resolver="main", address="x", name="y")

    def test_what_is_none_is_said(self) -> None:
        """With what there is."""
        with self.assertRaises(LookupError) as raised:
            self.view("weather")
        self.assertIn("names", str(raised.exception))

    def test_somebody_who_looks_is_told_what_happens(self) -> None:
        """In resolvers and in the command server."""
        self.running.ring.look()
        self.reactor.connect("127.0.0.1", 5)
        self.assertEqual([noted.event.what for noted in self.running.ring.newest(lambda e: hasattr(e, "what"))], [
            "served", "opened"
        ])  # fmt: skip
        self.running.ring.stop()


class WithoutTests(LabTestCase):
    """A lab without a command server."""

    def test_there_are_no_sessions(self) -> None:
        """And none to close."""
        lab = self.started(PARENT)
        self.assertEqual(lab.view("sessions", {}), {"sessions": [], "waiting": [], "more": 0})
        self.assertIsNone(lab.view("lab", {})["command"])
        with self.assertRaises(LookupError):
            lab.view("close-session", {"id": "1"})
