"""Each dialect's conformance table, played against a resolver in memory and against the dialect's own codec."""

from __future__ import annotations

import re

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects.codec import Codec, Stray
from labnet.dialects.library import find, shipped
from labnet.dialects.recognise import decode_reply
from labnet.wire.course_line import TextError
from labnet.wire.types import CourseReply, Referral
from tests.command.running import RunningServer
from tests.dialects.tables import Case, Table, tables
from tests.resolver.lab import CLIENT, Lab


class ServerTests(SynchronousTestCase):
    """What a server answers."""

    def test_every_dialect_has_a_table(self) -> None:
        self.assertEqual({table.dialect for table in tables()}, set(shipped()))

    def test_each_case_is_answered_to_the_byte(self) -> None:
        """Over UDP, or over TCP where the dialect is for that."""
        for table in tables():
            dialect = find(table.dialect)
            if dialect.kind != "names":
                continue
            files = {"records": table.records.decode("latin-1")}
            lab = Lab(self, files, dialect=table.dialect, parents=[], default_ttl=60)
            for case in table.server:
                said = self.streamed(lab, case) if dialect.is_stream else self.answered(lab, case)
                self.assertEqual(said, case.out, f"{table.dialect}: {case.what}")
            lab.stop()

    def answered(self, lab: Lab, case: Case) -> bytes | None:
        for segment in case.segments:
            lab.send(segment)
        sent = [
            lab.network.sent.pop(0).payload.replace(b"1605280488.749312", b"1605280488.0") for _ in lab.network.sent[:]
        ]
        return b"".join(sent) if sent else None

    def streamed(self, lab: Lab, case: Case) -> bytes | None:
        factory = lab.reactor.stream_factories[0]
        stream, transport = factory.buildProtocol(IPv4Address("TCP", *CLIENT)), StringTransport()
        transport.peerAddr = IPv4Address("TCP", *CLIENT)
        stream.makeConnection(transport)
        for segment in case.segments:
            if not transport.disconnecting:
                stream.dataReceived(segment)
        self.assertEqual(transport.disconnecting, case.closed, case.what)
        stream.connectionLost(None)
        return transport.value() or None


class CommandServerTests(RunningServer):
    """What a command server answers."""

    def test_each_case_is_answered_to_the_byte(self) -> None:
        for table in tables():
            if find(table.dialect).kind != "commands":
                continue
            for case in table.server:
                self.setUp()
                said, closed = self.said(table.dialect, case)
                where = f"{table.dialect}: {case.what}"
                if case.like is None:
                    self.assertEqual(said or None, case.out, where)
                else:
                    self.assertRegex(said, re.compile(rb"(?:%s)\Z" % case.like), where)
                self.assertEqual(closed, case.closed, where)
                self.tearDown()
        del self.service

    def said(self, dialect: str, case: Case) -> tuple[bytes, bool]:
        self.start(dialect=dialect)
        client = self.reactor.connect()
        for segment in case.segments:
            client.send(segment)
        self.reactor.pass_time(0.6)  # the pause that ends a command without a newline
        return client.received(), client.closed


class ClientTests(SynchronousTestCase):
    """What a client makes of a reply."""

    def test_each_reply_is_read_as_what_it_says(self) -> None:
        for table in tables():
            for reply in table.client:
                said = self.says(table, reply.message)
                self.assertEqual(said, reply.says, f"{table.dialect}: {reply.what}")

    def says(self, table: Table, message: bytes) -> str:
        codec = Codec(find(table.dialect))
        asked = codec.decode_question(table.question) if table.question != b"www.a" else codec.question_for("www.a")
        try:
            reply = decode_reply(codec, message, asked)
        except Stray:
            return "ignored"
        except TextError:
            return "unreadable"
        if isinstance(reply, Referral):
            return f"referral {reply.target}"
        if isinstance(reply, CourseReply):
            return reply.address if reply.name is None or reply.name.lower() == "www.a" else "ignored"
        return "unknown"
