"""Tests for :mod:`labnet.resolver.filtering.policy_zone`."""

from __future__ import annotations

import ipaddress

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.policy_zone import PolicyZone
from labnet.resolver.filtering.treatment import TreatmentKind
from labnet.wire.names import key_of

HEAD = "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n  NS localhost.\n"


def read(text: str) -> tuple[BlockList, list[str]]:
    """The list that a zone is, and what was skipped of it."""
    found = BlockList("list")
    zone = PolicyZone(found)
    zone.read(text.encode())
    return found, [f"{problem.line}: {problem.says}" for problem in zone.skipped.problems()]


def kinds(block_list: BlockList, *names: str) -> list[TreatmentKind | None]:
    """What is done about each of ``names``."""
    verdicts = [block_list.find(key_of(name)) for name in names]
    return [None if verdict is None else verdict.treatment.kind for verdict in verdicts]


class PolicyZoneTests(SynchronousTestCase):
    """Triggers and actions."""

    def test_names_and_actions(self) -> None:
        """Each that there is; a star stands for what is below alone."""
        found, problems = read(
            HEAD
            + "gone.example CNAME .\nempty.example CNAME *.\nok.example CNAME rpz-passthru.\n"
            + "drop.example CNAME rpz-drop.\n*.wild.example CNAME .\nold.example CNAME old.example.\n"
            + "here.example A 192.0.2.1\nhere.example AAAA 2001:db8::1\nthere.example CNAME walled.example.\n"
        )
        self.assertEqual(problems, [])
        self.assertEqual(
            kinds(
                found, "gone.example", "empty.example", "ok.example", "drop.example", "a.wild.example", "old.example"
            ),
            [
                TreatmentKind.NXDOMAIN,
                TreatmentKind.NODATA,
                TreatmentKind.PASS,
                TreatmentKind.DROP,
                TreatmentKind.NXDOMAIN,
                TreatmentKind.PASS,
            ],
        )
        self.assertEqual(
            kinds(found, "wild.example", "here.example", "there.example"),
            [None, TreatmentKind.DATA, TreatmentKind.DATA],
        )
        here = found.find(key_of("here.example"))
        assert here is not None
        self.assertEqual(sorted(here.treatment.rrsets), [1, 28])

    def test_many_lines_of_one_form_are_the_same_as_each_by_itself(self) -> None:
        """Both ways of reading them, and what follows them."""
        lines = "".join(f"a{number}.example CNAME .\n*.a{number}.example CNAME .\n" for number in range(5000))
        tail = "   TXT why\nlast.example IN CNAME rpz-passthru.\n"
        for text in (HEAD + lines + tail, HEAD + lines.replace(" CNAME", "\t300 IN  CNAME") + tail):
            found, problems = read(text)
            self.assertEqual(problems, [])
            # The TXT record belongs to the last name of the many; its first entry counts.
            self.assertEqual(len(found.names), 10_001)
            self.assertEqual(
                kinds(found, "a7.example", "x.a4999.example", "last.example"),
                [TreatmentKind.NXDOMAIN] * 2 + [TreatmentKind.PASS],
            )

    def test_the_zone_s_own_name_is_cut_off(self) -> None:
        """Whatever it is, and whether names are written whole."""
        text = "$ORIGIN rpz.provider.test.\n" + HEAD + "ads.example CNAME .\nmore.example.rpz.provider.test. CNAME .\n"
        found, problems = read(text)
        self.assertEqual(kinds(found, "ads.example", "more.example"), [TreatmentKind.NXDOMAIN] * 2)
        self.assertEqual(problems, [])
        _, problems = read(text + "ads.example. CNAME .\n")
        says = "7: ads.example is not in the policy zone rpz.provider.test; the line was skipped"
        self.assertEqual(problems, [says])

    def test_networks_of_clients_and_of_answers(self) -> None:
        """Written from their end, with zz for the zeros of IPv6; the narrowest counts."""
        found, problems = read(
            HEAD
            + "24.0.2.0.192.rpz-client-ip CNAME .\n32.7.2.0.192.rpz-client-ip CNAME rpz-passthru.\n"
            + "48.zz.1.db8.2001.rpz-ip CNAME *.\n128.53.zz.db8.2001.rpz-ip CNAME .\n8.0.0.0.10.rpz-ip A 192.0.2.9\n"
        )
        self.assertEqual(problems, [])

        def client(text: str) -> str:
            verdict = found.find_client(ipaddress.ip_address(text).packed)
            return "" if verdict is None else f"{verdict.entry} {verdict.treatment.kind.name}"

        def answer(*texts: str) -> str:
            verdict = found.find_address([ipaddress.ip_address(text).packed for text in texts])
            return "" if verdict is None else f"{verdict.entry} {verdict.treatment.kind.name}"

        self.assertEqual(client("192.0.2.1"), "192.0.2.0/24 NXDOMAIN")
        self.assertEqual(client("192.0.2.7"), "192.0.2.7/32 PASS")
        self.assertEqual(client("198.51.100.1"), "")
        self.assertEqual(answer("198.51.100.1", "10.1.2.3"), "10.0.0.0/8 DATA")
        self.assertEqual(answer("2001:db8:1::9"), "2001:db8:1::/48 NODATA")
        self.assertEqual(answer("2001:db8::53"), "2001:db8::53/128 NXDOMAIN")
        self.assertEqual(answer("2001:db8::54"), "")

    def test_what_is_not_supported_is_said_and_the_rest_counts(self) -> None:
        """One sentence for all; no line ends the reading."""
        for line, says in (
            ("32.1.2.0.192.rpz-nsip CNAME .", "triggers on the addresses of name servers (rpz-nsip) are not supported"),
            ("ns.example.rpz-nsdname CNAME .", "triggers on the names of name servers (rpz-nsdname) are not supported"),
            ("x.example CNAME rpz-tcp-only.", "the action rpz-tcp-only is not supported"),
            ("x.rpz-odd CNAME .", "x.rpz-odd is no kind of trigger"),
            (
                "33.1.2.0.192.rpz-ip CNAME .",
                "33.1.2.0.192.rpz-ip is no network: write as 24.0.2.0.192 for 192.0.2.0/24",
            ),
            (
                "24.1.2.0.192.rpz-ip CNAME .",
                "24.1.2.0.192.rpz-ip is no network: write as 24.0.2.0.192 for 192.0.2.0/24",
            ),
            ("x.example A 1.2.3", "'x.example A 1.2.3' cannot be read: Text input is malformed"),
            ("$INCLUDE other", "$INCLUDE 'other' is refused here"),
            (
                "$generate 1-9 a$ CNAME .",
                "$GENERATE is refused here: who publishes the list could fill the memory by it",
            ),
        ):
            found, problems = read(f"{HEAD}{line}\ngood.example CNAME .\n{line}\n")
            self.assertEqual(problems, [f"4: {says}; the line was skipped, and 1 more lines"])
            self.assertEqual(kinds(found, "good.example"), [TreatmentKind.NXDOMAIN])
