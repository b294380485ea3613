"""Tests for :mod:`labnet.resolver.serve.responder` and :mod:`labnet.wire.dns_response`, beside compliance."""

from __future__ import annotations

from dataclasses import replace

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_common import PAYLOAD
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.types import Answer, ExtendedError, InfoCode, Rcode, RRset, RRType
from tests.resolver.dnsfakes import NS, A, rrset, wire
from tests.resolver.lab import CLIENT, Lab, codes, errors, rcode, shown

ADDRESS = rrset("www.lab", 60, A, b"\x0a\0\0\1")
REFERRAL = (rrset("lab", 60, NS, wire("ns.lab")),)


def encoded(answer: Answer, payload: int | None = 1232, stream: bool = False) -> dns.message.Message:
    """``answer`` as it goes to a client that takes ``payload`` bytes, or has no EDNS."""
    asked = dns.message.make_query("www.lab", "A", use_edns=-1 if payload is None else 0, payload=payload or 0)
    return dns.message.from_wire(encode_answer(decode_query(asked.to_wire()), answer, stream, True, Options()))


def glue(count: int, name: str = "ns.lab") -> tuple[RRset, ...]:
    """``count`` addresses, of one RRset."""
    return (rrset(name, 60, A, *[b"\x0a\0" + number.to_bytes(2, "big") for number in range(count)]),)


class EncodingTests(SynchronousTestCase):
    """What fits goes out; what does not is left out in order of its worth."""

    def test_additional_records_go_first(self) -> None:
        """Where the addresses beside an answer do not fit, the answer goes without them."""
        reply = encoded(Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(100)))
        self.assertEqual((len(reply.answer), reply.additional), (1, []))
        self.assertFalse(reply.flags & dns.flags.TC)
        self.assertEqual(len(encoded(Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(10))).additional[0]), 10)

    def test_referral_without_its_addresses_is_truncated(self) -> None:
        """A referral is of no use without them: the client has to come by TCP (RFC 9471)."""
        reply = encoded(Answer(Rcode.NOERROR, authority=REFERRAL, additional=glue(100)))
        self.assertTrue(reply.flags & dns.flags.TC)

    def test_reasons_go_before_the_answer_does(self) -> None:
        """Extended errors that would make the answer too long are left out; it is not truncated for them."""
        reasons = tuple([ExtendedError(InfoCode.OTHER, "x" * 200)] * 8)
        for answer in (
            Answer(Rcode.NOERROR, (ADDRESS,), errors=reasons),
            Answer(Rcode.NOERROR, (ADDRESS,), additional=glue(100), errors=reasons),
        ):
            reply = encoded(answer)
            self.assertEqual((len(reply.answer), list(reply.extended_errors())), (1, []))
            self.assertFalse(reply.flags & dns.flags.TC)
            self.assertEqual(len(list(encoded(replace(answer, additional=()), stream=True).extended_errors())), 8)

    def test_many_additional_records_are_counted(self) -> None:
        """More than 255 records beside an OPT record are counted in both bytes of the count."""
        for count in (254, 255, 256, 600):
            reply = encoded(Answer(Rcode.NOERROR, authority=REFERRAL, additional=glue(count)), stream=True)
            self.assertEqual((len(reply.additional[0]), reply.edns), (count, 0))

    def test_reason_is_cut_between_characters(self) -> None:
        """A long text is cut to 200 bytes of whole characters (RFC 8914: UTF-8)."""
        for text in ("x" * 300, "xé" * 100, "€" * 100):
            (error,) = encoded(Answer(Rcode.SERVFAIL, errors=(ExtendedError(InfoCode.OTHER, text),))).extended_errors()
            assert error.text is not None
            self.assertTrue(text.startswith(error.text))
            self.assertIn(len(error.text.encode()), range(198, 201))

    def test_client_without_edns_is_told_no_reason(self) -> None:
        """Without EDNS there is no place for it, and 512 bytes are the limit."""
        answer = Answer(Rcode.NOERROR, glue(28, "www.lab"), errors=(ExtendedError(InfoCode.OTHER, "x"),))
        reply = encoded(answer, payload=None)
        self.assertEqual((reply.edns, len(reply.answer[0])), (-1, 28))
        self.assertTrue(encoded(replace(answer, answer=glue(40, "www.lab")), payload=None).flags & dns.flags.TC)

    def test_limit_is_the_clients_and_ours(self) -> None:
        """A UDP answer is no longer than the client takes, nor than 1232 bytes."""
        answer = Answer(Rcode.NOERROR, glue(75, "www.lab"))
        for payload, fits in ((1231, False), (1232, True), (65535, True)):
            size = 12 + 13 + 75 * 16 + 11
            self.assertEqual(
                bool(encoded(answer, payload).flags & dns.flags.TC), not (fits and size <= PAYLOAD), payload
            )

    def test_type_that_nobody_knows(self) -> None:
        """A record of an unknown type goes out as it is (RFC 3597)."""
        reply = encoded(Answer(Rcode.NOERROR, (rrset("www.lab", 60, 65280, b"\1\2\3"),)))
        self.assertEqual(reply.answer[0][0].to_text(), r"\# 3 010203")


class WholeTests(SynchronousTestCase):
    """Through a whole resolver."""

    def test_recursion_is_offered_where_there_is_a_parent(self) -> None:
        """RA says whether there is anybody to ask."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"})
        self.assertTrue(lab.ask("www.lab").flags & dns.flags.RA)
        lab.restart(parents=[])
        self.assertFalse(lab.ask("www.lab").flags & dns.flags.RA)

    def test_parents_own_reasons_are_passed_on(self) -> None:
        """The extended errors of a parent reach the client, behind what we say ourselves."""
        lab = Lab(self)
        told = dns.edns.EDEOption(dns.edns.EDECode.BLOCKED, "not in this school")
        reply = lab.resolve("web.example", rcode="SERVFAIL", options=[told])
        self.assertEqual((rcode(reply), codes(reply)[0]), ("SERVFAIL", int(InfoCode.NO_REACHABLE_AUTHORITY)))
        self.assertIn("not in this school", " ".join(errors(reply)))

    def test_any_is_answered_with_one_rrset(self) -> None:
        """ANY is told one RRset of the records (RFC 8482)."""
        zone = "$TTL 60\nwww.lab. IN A 10.0.0.1\nwww.lab. IN TXT something-longer\n"
        self.assertEqual(len(Lab(self, {"db.lab": zone}).ask("www.lab", "ANY").answer), 1)

    def test_waiting_client_keeps_its_own_case_and_options(self) -> None:
        """Two clients that wait for one query each get their own id and case."""
        lab = Lab(self)
        lab.begin("web.EXAMPLE", client=(CLIENT[0], 1))
        lab.begin("WEB.example", client=(CLIENT[0], 2))
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        for number, name in ((1, "web.EXAMPLE."), (2, "WEB.example.")):
            reply = lab.told((CLIENT[0], number))
            self.assertEqual((reply.question[0].name.to_text(), len(shown(reply))), (name, 1))

    def test_negative_answer_of_an_authority(self) -> None:
        """Below a zone of ours a name that is not there is NXDOMAIN, with AA and the SOA."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, zones=["lab"])
        reply = lab.ask("x.lab")
        self.assertEqual((rcode(reply), reply.authority[0].rdtype), ("NXDOMAIN", RRType.SOA))
        self.assertTrue(reply.flags & dns.flags.AA)
