"""A name that is learned anew leaves no older line of it in the file before the new one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import maybeDeferred

from labnet.resolver.cache import superseded
from labnet.resolver.cache.log import RETRY, Form, LearnedLog
from labnet.resolver.files.course import authored
from labnet.wire.course_line import encode_record
from labnet.wire.types import Mapping
from tests.resolver.cache.logcase import AUTHORS, LogCase, course_line, learned


class SupersededTests(LogCase):
    """The records file of a resolver is read by another program too, which takes the first line of a name."""

    def setUp(self) -> None:
        super().setUp()
        self.path.write_bytes(AUTHORS)
        self.since = 1605280488.5

    def open(self, lines: int = 0) -> LearnedLog[Mapping]:
        form = Form(course_line, authored, name=lambda mapping: mapping.name)
        log = LearnedLog(os.fspath(self.path), lambda: iter(list(self.live)), form, self.clock, maybeDeferred)
        log.open(lines, cut=False)
        return log

    def relearn(self, log: LearnedLog[Mapping], name: str) -> bytes:
        """What was learned of ``name`` has expired; it is learned anew. Gives its line."""
        self.since += 61.0
        self.live = [mapping for mapping in self.live if mapping.name.lower() != name.lower()]
        self.live.append(replace(learned(name), since=self.since))
        log.append([self.live[-1]])
        return encode_record(self.live[-1]).encode() + b"\n"

    def test_an_expired_line_is_gone_when_its_name_is_learned_anew(self) -> None:
        """The author's lines and other names' stay; the letters' case makes no other name of it."""
        log = self.open()
        self.relearn(log, "www.a")
        other = self.relearn(log, "www.b")
        self.assertHolds(AUTHORS, *[encode_record(mapping).encode() + b"\n" for mapping in self.live])
        self.clock.advance(61.0)
        new = self.relearn(log, "WWW.a")
        self.assertHolds(AUTHORS, other, new)

    def test_the_next_rewrite_waits_a_second(self) -> None:
        """Names that are learned again and again do not have the file written again and again."""
        log = self.open()
        self.relearn(log, "www.a")
        self.relearn(log, "www.a")
        self.clock.advance(RETRY / 2)
        before = self.path.stat().st_ino
        for _ in range(5):
            new = self.relearn(log, "www.a")
        self.assertEqual(self.path.stat().st_ino, before)
        self.assertTrue(self.path.read_bytes().endswith(new))
        self.clock.advance(RETRY)
        self.assertHolds(AUTHORS, new)
        self.assertNotEqual(self.path.stat().st_ino, before)

    def test_closing_drops_what_is_superseded(self) -> None:
        """The rewrite that waits is done before the end."""
        log = self.open()
        for _ in range(3):
            new = self.relearn(log, "www.a")
        log.close()
        self.assertHolds(AUTHORS, new)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_a_start_what_is_live_is_known(self) -> None:
        """A name that is new is appended; one that the file has is not; nor is any where it may have more of them."""
        content = b"".join([AUTHORS, encode_record(learned("www.a")).encode(), b"\n"])
        for lines, name, stays in ((1, "www.b", True), (1, "www.a", False), (2, "www.b", False)):
            self.path.write_bytes(content)
            before = self.path.stat().st_ino
            self.live = [learned("www.a")]
            log = self.open(lines)
            self.relearn(log, name)
            self.assertEqual(self.path.stat().st_ino == before, stays, (lines, name))
            log.close()
            Path(self.path).unlink()

    def test_names_are_remembered_up_to_a_bound(self) -> None:
        """Beyond it an older line of a name stays until the file is compacted."""
        self.patch(superseded, "MOST_NAMES", 1)
        log = self.open()
        for name in "www.a", "www.b":
            self.relearn(log, name)
        self.clock.advance(61.0)
        before = self.path.stat().st_ino
        self.relearn(log, "www.b")
        self.assertEqual(self.path.stat().st_ino, before)
        self.relearn(log, "www.a")
        self.assertNotEqual(self.path.stat().st_ino, before)
