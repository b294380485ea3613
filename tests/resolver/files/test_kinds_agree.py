"""What the kinds of records files make of one name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.course import parse_records
from labnet.resolver.files.hosts import read_hosts
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import key_of
from labnet.wire.types import Question, RRType
from tests.resolver.zonefiles import ip


class KindsAgree(SynchronousTestCase):
    """An internationalized name is one name, whichever file it stands in and however it is written there."""

    def test_an_internationalized_name_is_the_same_in_every_kind_of_file(self) -> None:
        """Its addresses in a course's, a hosts and a zone file form one RRset, found by its A-labels."""
        data = ZoneData()
        for mapping in parse_records("münchen.lab,192.0.2.1,60\n".encode(), 0).static:
            data.add_mapping(mapping)
        read_hosts("192.0.2.2 MÜNCHEN.lab\n".encode(), data.add_host)
        read_zone("münchen.lab. 60 A 192.0.2.3\nxn--mnchen-3ya.lab. 60 IN A 192.0.2.4\n".encode(), data.add)
        data.finish()
        self.assertEqual(data.written, 1)
        answer = Zone(data).find(Question(b"\x0exn--mnchen-3ya\3lab\0", RRType.A))
        assert answer is not None
        self.assertEqual(answer.answer[0].rdatas, tuple(ip(f"192.0.2.{number}") for number in (1, 2, 3, 4)))
        assert answer.mapping is not None
        self.assertEqual(answer.mapping.name, "münchen.lab")
        self.assertEqual(answer, Zone(data).find(Question(key_of("münchen.lab"), RRType.A)))

    def test_two_spellings_of_a_name_are_one_name_of_a_courses_file(self) -> None:
        """The second line is warned of as any name that stands there twice."""
        (problem,) = parse_records("münchen.lab,192.0.2.1,60\nxn--mnchen-3ya.lab,192.0.2.1,60\n".encode(), 0).problems
        self.assertEqual((problem.line, problem.warning), (2, True))
