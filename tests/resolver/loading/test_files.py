"""Tests for :mod:`labnet.resolver.loading.files`: every file of a resolver, and everything that is wrong in them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.config.resolver import ResolverConfig
from labnet.resolver.cache import lines as lines_of_logs
from labnet.resolver.cache.log import LogStart
from labnet.resolver.loading import files, records
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.loading.reading import LONGEST, Reading, ReadingEnded
from labnet.resolver.settings import every_parent
from labnet.wire.types import Rcode
from tests.resolver.cache.test_lines import LINE
from tests.resolver.dnsfakes import AAAA, A, question

COURSE = "www.course,10.0.0.1,60\n"
HOSTS = "10.0.0.2 www.hosts\n"
ZONE = "$TTL 60\nwww.zone. IN A 10.0.0.3\n"


class LoadingTests(SynchronousTestCase):
    """Files in a folder of their own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.patch(files, "RESOLV_CONF", self.path("resolv.conf"))

    def path(self, name: str) -> str:
        return os.fspath(self.folder / name)

    def write(self, **files: str) -> None:
        """Write files; a double underscore in a name is a dot."""
        for name, content in files.items():
            (self.folder / name.replace("__", ".")).write_text(content)

    def load(self, *records: str, now: float = 1000.0, **config: Any) -> Loaded:
        """Load ``records``, each ``KIND:NAME`` or ``NAME`` of a file in the folder."""
        paths = []
        for each in records:
            kind, _, name = each.rpartition(":")
            paths.append(f"{kind}:{self.path(name)}" if kind else self.path(name))
        return load_files(ResolverConfig.model_validate({"listen": "udp:0", "records": paths} | config), now)

    def said(self, messages: list[str]) -> list[str]:
        """The messages, the folder cut off the file's names."""
        for message in messages:
            self.assertTrue(message.startswith(f"{self.folder}/"), message)
        return [message.removeprefix(f"{self.folder}/") for message in messages]


class ForgeableParentTests(SynchronousTestCase):
    """``check`` warns of a course parent whose forged replies would reach others than this machine."""

    def warnings(self, **config: Any) -> list[str]:
        given = {"listen": "udp:0:interface=0.0.0.0", "allow": ["10.0.0.0/8"], "parents": ["text:10.0.0.9:1200"]}
        return load_files(ResolverConfig.model_validate(given | config), 0.0).warnings

    def test_a_course_parent_elsewhere_of_a_resolver_for_others_is_warned_of(self) -> None:
        [warning] = self.warnings()
        self.assertTrue(warning.startswith("text:10.0.0.9:1200: anybody can forge what this parent says"), warning)
        self.assertEqual(len(self.warnings(parents=[], forward={"a": "text:10.0.0.9:1", "b": "text:10.0.0.9:1"})), 1)

    def test_who_serves_this_machine_alone_is_not_warned(self) -> None:
        for config in (
            {"allow": ["127.0.0.0/8", "::1/128"]},
            {"recursion": ["127.0.0.0/8"]},
            {"listen": "udp:0"},
            {"parents": ["text:127.0.0.1:1200"]},
            {"parents": ["dns:10.0.0.9"]},
        ):
            self.assertEqual(self.warnings(**config), [], config)


class RecordsTests(LoadingTests):
    """Records files of every kind."""

    def knows(self, loaded: Loaded, *names: str) -> None:
        for name in names:
            found = loaded.zone.find(question(name))
            self.assertTrue(found is not None and found.answer, name)

    def test_kinds_are_guessed_by_their_content(self) -> None:
        """A course's file, a hosts file and a zone file need no prefix, whatever their names."""
        self.write(a=COURSE, b=HOSTS, c=ZONE)
        loaded = self.load("a", "b", "c")
        self.knows(loaded, "www.course", "www.hosts", "www.zone")
        self.assertEqual((loaded.errors, loaded.warnings, loaded.records), ([], [], 3))

    def test_kinds_may_be_said(self) -> None:
        """With a prefix the content is read as that kind, right or wrong."""
        self.write(a=COURSE, b=HOSTS, c=ZONE)
        self.knows(self.load("course:a", "hosts:b", "zone:c"), "www.course", "www.hosts", "www.zone")
        self.assertTrue(self.load("course:b").errors)
        self.assertTrue(self.load("zone:a").errors)

    def test_every_error_is_told_at_once(self) -> None:
        """All files are read before anything is said; each error has its file and line, a missing file has its name."""
        self.write(a="x\nwww.course,10.0.0.1,60\ny\n", c="www.zone. 60 IN A 10.0.0.3\nwww.zone. 60 IN A x\n")
        loaded = self.load("course:a", "missing", "zone:c", "gone")
        said = self.said(loaded.errors)
        self.assertEqual([text.split(": ")[0] for text in said], ["a:1", "a:3", "missing", "c:2", "gone"])
        self.assertEqual(said[2], "missing: there is no such file")

    def test_file_that_cannot_be_read(self) -> None:
        """A folder in the place of a file is an error in one sentence."""
        (self.folder / "dir").mkdir()
        self.assertEqual(self.said(self.load("dir").errors), ["dir: cannot be read: Is a directory"])

    def test_addresses_that_are_none_are_warned_of(self) -> None:
        """An address such as the transcript's is served, and warned of with file and line."""
        self.write(a="www.course,21.09.1992.8,60\n")
        loaded = self.load("a")
        self.assertEqual(loaded.errors, [])
        self.assertTrue(self.said(loaded.warnings)[0].startswith("a:1: "))

    def test_record_that_is_left_out_is_warned_of(self) -> None:
        """A line that cannot stand beside another file's record is left out with a warning that names the file."""
        self.write(a="x.invalid,10.0.0.1,60\n", b="www.course,10.0.0.1,60\n", c="www.course. 60 IN CNAME www.zone.\n")
        loaded = self.load("a", "zone:c", "course:b")
        self.assertEqual(loaded.errors, [])
        self.assertEqual([text.split(": ")[0] for text in self.said(loaded.warnings)], ["a", "b"])

    def test_records_beyond_a_delegation_are_warned_of(self) -> None:
        """With the file of the zone that has the delegation."""
        zone = "$ORIGIN lab.\n$TTL 60\n@ SOA ns host 1 2 3 4 5\nsub NS ns.sub\nns.sub A 10.0.0.1\nwww.sub A 10.0.0.2\n"
        self.write(lab__zone=zone)
        loaded = self.load("lab.zone", zones=["lab"])
        self.assertEqual(loaded.errors, [])
        (says,) = self.said(loaded.warnings)
        self.assertTrue(says.startswith("lab.zone: www.sub.lab: at or below the delegation of sub.lab, "), says)

    def test_hosts_lines_of_everyday_life_are_warned_of(self) -> None:
        """No line of a hosts file keeps a resolver from starting."""
        self.write(hosts=f"{HOSTS}fe80::1%lo0 localhost\n10.0.0.9\n")
        loaded = self.load("hosts")
        self.assertEqual((loaded.errors, loaded.records), ([], 1))
        self.assertEqual([says.split(" ")[0] for says in self.said(loaded.warnings)], ["hosts:2:", "hosts:3:"])

    def test_problems_of_an_included_file_name_that_file(self) -> None:
        """Which is one of the zone file's folder; another one is an error of the line that names it."""
        self.write(
            lab__zone="$ORIGIN lab.\n$INCLUDE more\n$INCLUDE /etc/hostname\n", more="a 60 A 10.0.0.1\nb 60 A 1\n"
        )
        loaded = self.load("lab.zone")
        self.assertEqual([says.split(" ")[0] for says in self.said(loaded.errors)], ["more:2:", "lab.zone:3:"])
        self.assertEqual(loaded.records, 1)

    def test_ipv6_addresses_in_a_course_file(self) -> None:
        """An address of IPv6, and several addresses of a name, are AAAA and A records with their reverse names."""
        self.write(a="six.course,2001:db8::1,60\nmany.course,10.0.0.1,60\nmany.course,10.0.0.2,60\n")
        loaded = self.load("a")
        found = loaded.zone.find(question("six.course", AAAA))
        assert found is not None
        self.assertEqual(found.answer[0].rdatas, (b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1",))
        self.assertIsNotNone(loaded.zone.find(question("2.0.0.10.in-addr.arpa", 12)))

    def test_reverse_names_and_zones_follow_the_configuration(self) -> None:
        """PTR records are derived unless that is off, and names below ``zones`` that no file has do not exist."""
        self.write(a=COURSE)
        pointer, missing = question("1.0.0.10.in-addr.arpa", 12), question("x.course")
        loaded = self.load("a", zones=["course"])
        self.assertIsNotNone(loaded.zone.find(pointer))
        found = loaded.zone.find(missing)
        assert found is not None
        self.assertEqual(found.rcode, Rcode.NXDOMAIN)
        loaded = self.load("a", reverse=False)
        self.assertEqual((loaded.zone.find(pointer), loaded.zone.find(missing)), (None, None))


class ReadingTests(LoadingTests):
    """The end of a reading before it is done."""

    def read(self, reading: Reading, *records: str) -> Loaded:
        paths = [self.path(name) for name in records]
        return load_files(ResolverConfig.model_validate({"listen": "udp:0", "records": paths}), 1000.0, reading)

    def test_cancelled_it_ends_at_a_checkpoint_in_every_kind_of_file(self) -> None:
        """Also in the middle of the records that one line of a zone file stands for."""
        self.write(course=COURSE, hosts=HOSTS, zone="$TTL 60\n$ORIGIN zone.\n$GENERATE 1-999999 w$ A 10.0.0.1\n")
        for name in ("course", "hosts", "zone"):
            reading = Reading()
            reading.cancel()
            self.assertRaises(ReadingEnded, self.read, reading, name)
        reading = Reading()
        calls = 0

        def checkpoint() -> None:
            nonlocal calls
            calls += 1
            if calls == 1000:
                reading.cancel()
            Reading.checkpoint(reading)

        self.patch(reading, "checkpoint", checkpoint)
        self.assertRaises(ReadingEnded, self.read, reading, "zone")
        self.assertEqual(calls, 1000)

    def test_it_takes_only_so_long(self) -> None:
        """After :data:`LONGEST` seconds the file that was being read is named."""
        self.write(course=COURSE)
        now = 0.0

        def monotonic() -> float:
            nonlocal now
            now += 2 * LONGEST
            return now

        with self.assertRaisesRegex(ReadingEnded, "course: reading all files takes more than 300 s"):
            self.read(Reading(monotonic), "course")

    def test_what_is_no_regular_file_is_an_error_at_once(self) -> None:
        """A FIFO in place of records, of a log or of root hints is said, and waited for by nobody."""
        names = ("records", "learned", "learned.dns", "hints")
        for name in names:
            os.mkfifo(self.path(name))
        loaded = self.load("records", learned=self.path("learned"), hints=self.path("hints"), parents=["root"])
        self.assertEqual(
            self.said(loaded.errors),
            [
                f"{name}: cannot be read: it is no regular file"
                for name in ("records", "learned", "learned.dns", "hints")
            ],
        )


class LogTests(LoadingTests):
    """What was learned."""

    def test_no_logs_yet(self) -> None:
        """At the first start there is nothing to read, which is no error."""
        loaded = self.load(learned=self.path("learned"))
        self.assertEqual((loaded.errors, loaded.warnings, loaded.cached), ([], [], []))
        self.assertEqual((loaded.course_log, loaded.dns_log), (LogStart(), LogStart()))

    def test_both_logs(self) -> None:
        """The log of the course protocol and that of DNS beside it are read, and their lines counted."""
        line = LINE.decode()
        self.write(learned="a.course,10.0.0.1,60,1,5.0\nb.course,10.0.0.1,60,1,5.0\n", learned__dns=f"{line}\n" * 3)
        loaded = self.load(learned=self.path("learned"), now=6.0)
        self.assertEqual((loaded.course_log, loaded.dns_log), (LogStart(2), LogStart(3)))
        names = ["a.course", "b.course", "a.example"]
        self.assertEqual([asked for asked, _ in loaded.cached], [question(name, A) for name in names])

    def test_broken_lines_are_warnings(self) -> None:
        """In a log a line that cannot be read keeps nobody from starting; the log is mended at the start."""
        self.write(learned="x\na.course,10.0.0.1,60,1,5.0\na.cou", learned__dns=f"junk\n{LINE.decode()}\n")
        loaded = self.load(learned=self.path("learned"), now=6.0)
        self.assertEqual(loaded.errors, [])
        self.assertEqual(
            [text.split(": ")[0] for text in self.said(loaded.warnings)], ["learned:1", "learned:3", "learned.dns:1"]
        )
        self.assertEqual([str(asked) for asked, _ in loaded.cached], ["a.course A", "a.example A"])
        self.assertEqual((loaded.course_log.cut, loaded.dns_log.cut), (True, True))

    def test_learned_lines_in_the_records_file(self) -> None:
        """The log may be the records file itself, as in the assignment; then it is a course's file and read once."""
        self.write(ips="10.0.0.1 looks.like.hosts\n")
        self.assertEqual(self.load("ips").errors, [])
        self.assertTrue(self.load("ips", learned=self.path("ips")).errors)
        self.write(ips="www.course,10.0.0.1,60\na.course,10.0.0.1,60,1,5.0\n")
        loaded = self.load("ips", learned=self.path("ips"))
        self.assertEqual((loaded.course_log.lines, len(loaded.cached), loaded.records), (1, 1, 1))
        self.write(other="b.course,10.0.0.1,60,1,5.0\n")
        self.assertEqual((self.load("other").course_log.lines, len(self.load("other").cached)), (0, 1))

    def test_a_large_records_file_that_is_a_log_is_read_as_a_small_one(self) -> None:
        """A part at a time; a learned line is parsed once."""
        learned = [
            f"host{number}.course,10.0.{number // 250}.{number % 250},60,1,{990 + number % 10}\n"
            for number in range(100)
        ]
        lines = [COURSE, "# a comment\n", "#off.course,10.0.0.1,60,1,999\n", *learned[:50], "nonsense\n", *learned[50:]]
        self.write(ips__txt="".join(lines) + "cut.course,10.0.")
        path = self.path("ips.txt")
        small = self.load("ips.txt", learned=path)
        parsed = mock.patch.object(lines_of_logs, "parse_line", wraps=lines_of_logs.parse_line)
        with mock.patch.object(records, "_LARGE", 100), parsed as parse:
            large = self.load("ips.txt", learned=path)
            self.assertLessEqual(parse.call_count, 102)  # the last two lines twice
        for loaded in small, large:
            self.assertEqual(len(loaded.zone), 1)
            self.assertEqual({str(asked) for asked, _ in loaded.cached}, {f"host{n}.course A" for n in range(100)})
        self.assertEqual((large.warnings, large.errors), (small.warnings, small.errors))
        self.assertEqual(large.course_log.cut, small.course_log.cut)

    def test_log_that_cannot_be_read(self) -> None:
        """A log that is there and cannot be read keeps the resolver from starting: it would be lost."""
        (self.folder / "learned").mkdir()
        (self.folder / "learned.dns").mkdir()
        said = self.said(self.load(learned=self.path("learned")).errors)
        self.assertEqual(
            said, ["learned: cannot be read: Is a directory", "learned.dns: cannot be read: Is a directory"]
        )


class ParentTests(LoadingTests):
    """Files that parents need."""

    def test_system(self) -> None:
        """The system's servers are read for a parent ``system``, also of a single domain, and else not."""
        self.write(resolv__conf="nameserver 192.0.2.1\nnameserver x\nnameserver 2001:db8::1\n")
        for config in ({"parents": ["system"]}, {"forward": {"example": ["system"]}}):
            loaded = self.load(**config)
            self.assertEqual((loaded.system, loaded.errors), (("192.0.2.1", "2001:db8::1"), []))
            self.assertTrue(self.said(loaded.warnings)[0].startswith("resolv.conf:2: "))
        self.assertEqual(self.load(parents=["dns:192.0.2.1"]).system, ())

    def test_system_without_servers(self) -> None:
        """A file that is missing, a link to nowhere, or names nobody, as at boot, is warned of: it may come."""
        says = ["resolv.conf: names no server, so nobody is asked until it does"]

        def loaded() -> None:
            loaded = self.load(parents=["system"])
            self.assertEqual((loaded.system, loaded.errors, self.said(loaded.warnings)), ((), [], says))

        loaded()
        os.symlink(self.path("nowhere"), self.path("resolv.conf"))
        loaded()
        os.unlink(self.path("resolv.conf"))
        self.write(resolv__conf="search example\n")
        loaded()

    def test_root_hints(self) -> None:
        """The built-in hints are taken for a parent ``root`` unless a file is named; else none are."""
        loaded = self.load(parents=["root"])
        assert loaded.hints is not None
        self.assertGreater(len(loaded.hints.servers), 10)
        self.write(hints=". 60 NS a.root.\na.root. 60 A 127.0.0.9\n")
        loaded = self.load(forward={"example": ["root"]}, hints=self.path("hints"))
        assert loaded.hints is not None
        self.assertEqual((len(loaded.hints.servers), loaded.errors), (1, []))
        self.assertIsNone(self.load(hints=self.path("hints")).hints)

    def test_hints_that_are_wrong(self) -> None:
        """A hints file that is missing or of no use is an error with its name."""
        self.assertEqual(
            self.said(self.load(parents=["root"], hints=self.path("hints")).errors), ["hints: there is no such file"]
        )
        self.write(hints="junk\n")
        self.assertTrue(self.said(self.load(parents=["root"], hints=self.path("hints")).errors))

    def test_every_parent(self) -> None:
        """The parents of single domains count among all."""
        config = ResolverConfig.model_validate(
            {"listen": "udp:0", "parents": ["system"], "forward": {"a": ["root"], "b": ["dns:192.0.2.1"]}}
        )
        self.assertEqual([parent.kind for parent in every_parent(config)], ["system", "root", "dns"])
