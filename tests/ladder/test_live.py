"""Exchanges and sessions as one ladder: the words of the cases that a lesson shows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.ladder.live import live_ladder
from labnet.ladder.model import Arrow, ArrowKind, Bar, Heading, Ladder
from tests.ladder import happened

CLIENT, MAIN, PARENT = 0, 1, 2


def ways(ladder: Ladder) -> list[tuple[int, int, ArrowKind]]:
    """Each arrow's columns and kind."""
    return [(arrow.start, arrow.end, arrow.kind) for arrow in ladder.arrows]


def roles(ladder: Ladder) -> list[str]:
    return [column.role for column in ladder.columns]


class CaseTests(SynchronousTestCase):
    """One exchange each."""

    def test_a_hit_goes_to_no_parent(self) -> None:
        """Two columns, two arrows, and nobody waits."""
        ladder = live_ladder([happened.hit()])
        self.assertEqual(roles(ladder), ["client", "resolver main"])
        self.assertEqual(ways(ladder), [(CLIENT, MAIN, ArrowKind.SENT), (MAIN, CLIENT, ArrowKind.SENT)])
        self.assertEqual(ladder.bars, [])

    def test_a_miss_goes_on_to_the_parent_and_the_resolver_waits_meanwhile(self) -> None:
        """The bar is from its question to the reply; the heading is row 0."""
        ladder = live_ladder([happened.miss()], hosts={"127.0.0.1:1200": "resolver parent"})
        self.assertEqual(roles(ladder), ["client", "resolver main", "resolver parent"])
        self.assertEqual([(one[0], one[1]) for one in ways(ladder)], [(0, 1), (1, 2), (2, 1), (1, 0)])
        self.assertEqual(ladder.bars, [Bar(MAIN, 2, 3)])

    def test_who_joins_a_question_stands_under_it_and_asks_no_parent(self) -> None:
        """Two clients, one arrow to the parent, two replies, in the order of time, under one heading."""
        ladder = live_ladder([happened.joined(), happened.miss()])
        self.assertEqual(roles(ladder), ["client", "client", "resolver main", "parent"])
        self.assertEqual(sum(isinstance(row, Heading) for row in ladder.rows), 1)
        self.assertEqual(sum(arrow.end == 3 for arrow in ladder.arrows), 1)
        self.assertEqual([arrow.kind for arrow in ladder.arrows].index(ArrowKind.JOINED), 2)
        self.assertEqual(ladder.bars, [Bar(2, 2, 4)])

    def test_silence_and_the_question_again_are_drawn(self) -> None:
        """Who waited, for whom, and how long in words."""
        ladder = live_ladder([happened.lost()])
        self.assertEqual(
            ways(ladder)[1:5],
            [(MAIN, PARENT, kind) for kind in (ArrowKind.SENT, ArrowKind.SILENCE, ArrowKind.RETRY, ArrowKind.SILENCE)],
        )
        self.assertEqual(ladder.arrows[2].says, "nothing for 1.5 s")

    def test_what_is_refused_dropped_or_over_its_rate_says_so(self) -> None:
        """The kind is the arrow's, the reason stands below."""
        for kind in ("refused", "dropped", "limited"):
            (arrow,) = live_ladder([happened.ended_by(kind)]).arrows
            self.assertEqual((arrow.kind, arrow.detail), (ArrowKind(kind), "over 20 questions a second"))

    def test_a_forged_reply_comes_in_and_is_thrown_away(self) -> None:
        """From the parent's column, with the name of the fault."""
        arrow = live_ladder([happened.spoofed()]).arrows[2]
        self.assertEqual((arrow.start, arrow.end, arrow.kind, arrow.fault), (PARENT, MAIN, ArrowKind.IGNORED, "spoof"))

    def test_a_fault_is_drawn_as_what_it_does(self) -> None:
        """What never arrives ends in a mark; what is held back too, and arrives later; the rest arrives."""
        kinds = {
            "drop at resolver main, parent side": (ArrowKind.DROPPED, "drop", ""),
            "delay 100 ms at resolver main, parent side": (ArrowKind.DROPPED, "delay 100 ms", "held back"),
            "wrong-id at resolver main, parent side": (ArrowKind.IGNORED, "wrong-id", "the id is another one"),
        }
        for sentence, expected in kinds.items():
            word = sentence.split()[0]
            note = "the id is another one" if word == "wrong-id" else word
            exchange = happened.miss()
            exchange["datagrams"][2] |= {"kind": "thrown-away", "fault": sentence, "note": note}
            arrow = live_ladder([exchange]).arrows[2]
            self.assertEqual((arrow.kind, arrow.fault, arrow.detail), expected)
        exchange["datagrams"][1] |= {"fault": "silent at resolver main, parent side"}
        self.assertEqual(live_ladder([exchange]).arrows[1].kind, ArrowKind.DROPPED)

    def test_a_session_has_the_command_server_before_the_clients(self) -> None:
        """So that no arrow crosses a resolver's column; who closed and why is the last."""
        ladder = live_ladder([happened.hit()], happened.session())
        self.assertEqual(roles(ladder), ["command server", "client", "resolver main"])
        last = ladder.arrows[-1]
        self.assertEqual((last.start, last.end, last.says, last.detail), (0, 1, "closes", "no command for 15 s"))


class WholeTests(SynchronousTestCase):
    """Several of them."""

    def test_two_resolvers_of_one_lab_show_each_datagram_once(self) -> None:
        """What one of them sent and the other received."""
        ask, answer = "Query shop.lab.test A", "Reply 192.0.2.9"
        inner = happened.exchange(
            "9", "shop.lab.test", "hit",
            happened.datagram(1.0012, happened.OWN, happened.PARENT, ask),
            happened.datagram(1.0199, happened.PARENT, happened.OWN, answer),
            resolver="parent", listener=happened.end(happened.PARENT), client=happened.end(happened.OWN),
        )  # fmt: skip
        ladder = live_ladder([inner, happened.miss()])
        self.assertEqual(roles(ladder), ["client", "resolver main", "resolver parent"])
        self.assertEqual([(one[0], one[1]) for one in ways(ladder)], [(0, 1), (1, 2), (2, 1), (1, 0)])
        self.assertEqual(ladder.bars, [Bar(MAIN, 2, 3)])
        outer = happened.miss()
        outer["datagrams"][2] |= {"kind": "thrown-away", "fault": "drop at resolver main", "note": "drop"}
        lost = live_ladder([inner, outer]).arrows
        self.assertEqual(
            [(arrow.kind, arrow.fault) for arrow in lost if arrow.start == PARENT], [(ArrowKind.DROPPED, "drop")]
        )

    def test_the_last_are_shown_where_not_all_have_room(self) -> None:
        """Whole exchanges, the newest at the bottom."""
        many = [happened.hit(str(number), f"n{number}.test", float(number)) for number in range(10)]
        ladder = live_ladder(many, most=9)
        headings = [row.text for row in ladder.rows if isinstance(row, Heading)]
        self.assertEqual(headings, ["n7.test A", "n8.test A", "n9.test A"])

    def test_more_than_three_machines_share_a_column(self) -> None:
        """As many columns as a class has students are no ladder."""
        many = [happened.hit(str(number), client=(f"192.0.2.{number}", 5353)) for number in range(4)]
        self.assertEqual(roles(live_ladder(many[:3])), ["client", "client", "client", "resolver main"])
        self.assertEqual(roles(live_ladder(many))[0], "clients")

    def test_a_projector_shows_no_address_of_a_client(self) -> None:
        """Neither above the columns nor in any text."""
        client = happened.end(("192.0.2.77", 5353))
        question = happened.datagram(0, ("192.0.2.77", 5353), happened.LISTENER, "Query a")
        why = [{"kind": "rate", "sentence": "192.0.2.77:5353 asks too often"}]
        one = happened.exchange("1", "a", "limited", question, client=client, why=why)
        ladder = live_ladder([one], hide_clients=True)
        self.assertNotIn("192.0.2.77", repr(ladder))
        self.assertEqual(ladder.columns[0].role, "client 1")
        events = [{**event, "client": client} for event in happened.session()]
        events[1]["text"] = "Connected: your IP address is 192.0.2.77 and your port is 5353"
        greeting = live_ladder((), events, hide_clients=True).arrows[1].says
        self.assertEqual(greeting, "Connected: your IP address is the client's and your port is its own")
        self.assertIn("192.0.2.77", repr(live_ladder([one])))

    def test_exchanges_that_join_in_a_circle_are_each_drawn(self) -> None:
        """What arrived over the network of another worker may be anything."""
        ladder = live_ladder([happened.joined("1", "2"), happened.joined("2", "1")])
        self.assertEqual(len([row for row in ladder.rows if isinstance(row, Arrow)]), 2 * 4)
