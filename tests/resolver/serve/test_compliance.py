"""The answers that public DNS compliance testers look at, as a table: header and EDNS (RFC 1035, 6891, 7873, 9619)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.events import Story
from labnet.interfaces import IResolver, IScreen
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.clients.cookies import Cookies
from labnet.resolver.clients.counts import Counts
from labnet.resolver.clients.transport import Transport
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.responder import Responder, ResponderOptions
from labnet.wire.names import key_of
from labnet.wire.types import Answer, ExtendedError, InfoCode, Question, Rcode, RRset, RRType

EVERYBODY = (ipaddress.ip_network("0.0.0.0/0"),)
WWW = Question(key_of("www.lab"), RRType.A)
BIG = Question(key_of("big.lab"), 16)
ADDRESS = Answer(Rcode.NOERROR, (RRset(WWW.key, RRType.A, 60, (b"\x0a\0\0\1",)),), origin="from the file")
TEXTS = tuple(bytes((100,)) + bytes((65 + number,)) * 100 for number in range(15))


@implementer(IResolver)
class TableResolver:
    """Knows two names; asked for others it says that there is no such name."""

    can_recurse = True

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def known(
        self, question: Question, failures: bool = True, story: Story | None = None, screen: IScreen | None = None
    ) -> Answer | None:
        return {
            WWW: ADDRESS,
            BIG: Answer(Rcode.NOERROR, (RRset(BIG.key, 16, 60, TEXTS),)),
            Question(WWW.key, RRType.ANY): ADDRESS,
        }.get(Question(question.key, question.rrtype))

    def recorded(self, question: Question) -> Answer | None:
        return None

    def nearest(self, question: Question, screen: IScreen | None = None) -> Answer | None:
        return None

    def ask(
        self, question: Question, story: Story | None = None, network: bytes = b"", screen: IScreen | None = None
    ) -> Deferred[Answer]:
        self.asked.append(question)
        return succeed(Answer(Rcode.NXDOMAIN, errors=(ExtendedError(InfoCode.OTHER, "so says the table"),)))


def header(id: int = 1, flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    """The twelve bytes of a header; by default of a question with RD set."""
    return struct.pack("!HHHHHH", id, flags, *counts)


def opt(
    options: bytes = b"", version: int = 0, flags: int = 0, payload: int = 1232, length: int | None = None
) -> bytes:
    """An OPT record; ``length`` makes its RDLENGTH a lie."""
    ttl = version << 16 | flags
    return b"\0" + struct.pack("!HHIH", 41, payload, ttl, len(options) if length is None else length) + options


def option(code: int, value: bytes) -> bytes:
    """One EDNS option."""
    return struct.pack("!HH", code, len(value)) + value


DATA = (
    b"\x0bhmac-sha256\0"
    + bytes.fromhex("0000 5fb0 0001 012c")  # when it was signed, and for how many seconds that counts
    + bytes.fromhex("0004 aabbccdd 0007 0000 0000")  # MAC, id, error, other data
)


def tsig(data: bytes) -> bytes:
    """A TSIG record of the key ``key.lab`` (RFC 8945, section 4.2)."""
    return b"\3key\3lab\0" + struct.pack("!HHIH", 250, 255, 0, len(data)) + data


TSIG = tsig(DATA)
WWW_A = WWW.key + b"\0\1\0\1"
EDNS1 = (1, 0, 0, 1)


@dataclass(frozen=True)
class Case:
    """A message and what comes back: the RCODE, the number of answers, whether with OPT and with the question."""

    name: str
    message: bytes
    rcode: int = 0
    answers: int = 1
    edns: bool = False
    question: bool = True


CASES = [
    Case("plain", header() + WWW_A),
    Case("edns", header(counts=EDNS1) + WWW_A + opt(), edns=True),
    Case("edns_small_buffer", header(counts=EDNS1) + WWW_A + opt(payload=10), edns=True),
    Case("edns_large_buffer", header(counts=EDNS1) + WWW_A + opt(payload=65535), edns=True),
    Case("edns_unknown_version", header(counts=EDNS1) + WWW_A + opt(version=1), 16, 0, True),
    Case("edns_unknown_version_and_option", header(counts=EDNS1) + WWW_A + opt(option(100, b"x"), 100), 16, 0, True),
    Case("edns_unknown_option", header(counts=EDNS1) + WWW_A + opt(option(100, b"x")), edns=True),
    Case("edns_unknown_flag", header(counts=EDNS1) + WWW_A + opt(flags=0x4000), edns=True),
    Case("edns_dnssec_ok", header(counts=EDNS1) + WWW_A + opt(flags=0x8000), edns=True),
    Case("edns_client_subnet", header(counts=EDNS1) + WWW_A + opt(option(8, b"\0\1\0\0")), edns=True),
    Case("edns_options_twice", header(counts=EDNS1) + WWW_A + opt(option(100, b"x") * 2), edns=True),
    Case("opt_cut_in_option", header(counts=EDNS1) + WWW_A + opt(b"\0\x0a\0\x08x"), 1, 0, question=False),
    Case("opt_cut_in_rdata", header(counts=EDNS1) + WWW_A + opt(length=4), 1, 0, question=False),
    Case("opt_cut_in_record", header(counts=EDNS1) + WWW_A + opt()[:5], 1, 0, question=False),
    Case("opt_missing", header(counts=EDNS1) + WWW_A, 1, 0, question=False),
    Case("opt_twice", header(counts=(1, 0, 0, 2)) + WWW_A + opt() * 2, 1, 0, question=False),
    Case("opt_in_answer_section", header(counts=(1, 1, 0, 0)) + WWW_A + opt(), 1, 0, question=False),
    Case("opt_with_a_name", header(counts=EDNS1) + WWW_A + b"\1x" + opt(), 1, 0, question=False),
    Case("other_additional", header(counts=(1, 0, 0, 2)) + WWW_A + WWW_A + b"\0\0\0\0\0\4abcd" + opt(), edns=True),
    Case("compressed_additional", header(counts=EDNS1) + WWW_A + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"),
    Case("no_question", header(counts=(0, 0, 0, 0)), 1, 0, question=False),
    Case("two_questions", header(counts=(2, 0, 0, 0)) + WWW_A * 2, 1, 0, question=False),
    Case("question_cut_in_name", header() + WWW_A[:5], 1, 0, question=False),
    Case("question_cut_in_type", header() + WWW_A[:-3], 1, 0, question=False),
    Case("question_compressed", header() + b"\xc0\x0c\0\1\0\1", 1, 0, question=False),
    Case("question_too_long", header() + (b"\x3f" + b"x" * 63) * 5 + b"\0\0\1\0\1", 1, 0, question=False),
    Case("bytes_behind", header() + WWW_A + b"\0"),
    Case("bytes_behind_edns", header(counts=EDNS1) + WWW_A + opt() + b"\0more", edns=True),
    Case("tsig_cut", header(counts=EDNS1) + WWW_A + TSIG[:-1], 1, 0, question=False),
    Case("tsig_with_short_data", header(counts=EDNS1) + WWW_A + tsig(DATA[:-1]), 1, 0, question=False),
    Case("tsig_before_edns", header(counts=(1, 0, 0, 2)) + WWW_A + TSIG + opt(), 1, 0, question=False),
    Case("tsig_in_answer_section", header(counts=(1, 1, 0, 0)) + WWW_A + TSIG, 1, 0, question=False),
    Case("unknown_flag_z", header(flags=0x0140) + WWW_A),
    Case("flag_ad", header(flags=0x0120) + WWW_A),
    Case("flag_cd", header(flags=0x0110) + WWW_A),
    Case("flag_tc", header(flags=0x0300) + WWW_A),
    Case("flag_aa", header(flags=0x0500) + WWW_A),
    Case("flag_ra", header(flags=0x0180) + WWW_A),
    Case("no_recursion_desired_known", header(flags=0) + WWW_A),
    Case("no_recursion_desired_unknown", header(flags=0) + key_of("x.lab") + b"\0\1\0\1", 5, 0),
    Case("unknown_name", header() + key_of("x.lab") + b"\0\1\0\1", 3, 0),
    Case("unknown_type", header() + key_of("x.lab") + b"\x04\0\0\1", 3, 0),
    Case("any", header() + WWW.key + b"\0\xff\0\1"),
    Case("axfr", header() + WWW.key + b"\0\xfc\0\1", 5, 0),
    Case("ixfr", header() + WWW.key + b"\0\xfb\0\1", 5, 0),
    Case("tkey", header() + WWW.key + b"\0\xf9\0\1", 5, 0),
    Case("type_opt", header() + WWW.key + b"\0\x29\0\1", 1, 0),
    Case("type_0", header() + WWW.key + b"\0\0\0\1", 1, 0),
    Case("class_chaos", header() + WWW.key + b"\0\x10\0\3", 5, 0),
    Case("class_any", header() + WWW.key + b"\0\1\0\xff", 5, 0),
    Case("cookie_client", header(counts=EDNS1) + WWW_A + opt(option(10, b"12345678")), edns=True),
    Case("cookie_old_server", header(counts=EDNS1) + WWW_A + opt(option(10, b"12345678" * 3)), edns=True),
    Case("cookie_too_short", header(counts=EDNS1) + WWW_A + opt(option(10, b"1234567")), 1, 0, question=False),
    Case("cookie_between", header(counts=EDNS1) + WWW_A + opt(option(10, b"123456789")), 1, 0, question=False),
    Case("cookie_too_long", header(counts=EDNS1) + WWW_A + opt(option(10, b"x" * 41)), 1, 0, question=False),
    Case("cookie_alone", header(counts=(0, 0, 0, 1)) + opt(option(10, b"12345678")), 0, 0, True, False),
    Case("edns_alone", header(counts=(0, 0, 0, 1)) + opt(), 1, 0, True, False),
    *[
        Case(f"opcode_{number}", header(flags=number << 11 | 0x7F0) + WWW_A, 5 if number == 5 else 4, 0, question=False)
        for number in range(1, 16)
    ],
]


class ComplianceTests(SynchronousTestCase):
    """Every message is answered by the RFCs' RCODE, with EDNS where the client has it, and never with odd flags."""

    def setUp(self) -> None:
        self.resolver = TableResolver()
        self.clock = Clock()
        self.responder = Responder(
            self.resolver,
            Cookies(b"0" * 16),
            ResponderOptions(b"the lab", True, 10.0),
            PacketCaches(0, self.clock),
            Admission(Rules(EVERYBODY)),
            Counts("main"),
        )

    def exchange(self, message: bytes, stream: bool = False) -> list[bytes]:
        """What comes back for ``message``."""
        replies: list[bytes] = []
        answered = self.responder.respond(message, (("192.0.2.1", 5300), None), Transport(stream), replies.append)
        self.assertEqual(answered, bool(replies))
        return replies

    def reply(self, message: bytes, stream: bool = False) -> dns.message.Message:
        """The one reply to ``message``, parsed."""
        (reply,) = self.exchange(message, stream)
        return dns.message.from_wire(reply)

    def check(self, case: Case, stream: bool) -> None:
        """Send the case's message and compare."""
        (raw,) = self.exchange(case.message, stream)
        reply = dns.message.from_wire(raw)
        flags = struct.unpack_from("!H", raw, 2)[0]
        asked = struct.unpack_from("!H", case.message, 2)[0]
        self.assertEqual(reply.id, 1)
        self.assertEqual(reply.rcode(), case.rcode)
        self.assertEqual(sum(len(rrset) for rrset in reply.answer), case.answers)
        self.assertEqual(reply.edns >= 0, case.edns)
        self.assertEqual(bool(reply.question), case.question)
        # QR and RA are set, opcode, RD and CD are the client's, AA, TC, Z and AD are clear; of other opcodes all are.
        expected = 0x8000 | asked & 0x7800 if case.rcode == dns.rcode.NOTIMP else 0x8080 | asked & 0x7910
        self.assertEqual(flags & ~0xF, expected)
        if case.edns:
            self.assertEqual((reply.edns, reply.payload), (0, 1232))
            self.assertEqual(reply.ednsflags & 0x7FFF, 0)
            self.assertFalse([code for code in reply.options if code.otype in (8, 100)])

    def test_dnssec_ok_is_copied(self) -> None:
        """The DO flag comes back as it was sent (RFC 3225, section 3)."""
        for flag in (0, 0x8000):
            self.assertEqual(self.reply(header(counts=EDNS1) + WWW_A + opt(flags=flag)).ednsflags & 0x8000, flag)

    def test_signature_by_a_key_that_is_not_known_is_notauth(self) -> None:
        """The response has the question and a TSIG record without MAC that says BADKEY (RFC 8945, section 5.2.1)."""
        bad_key = tsig(DATA.replace(bytes.fromhex("0004 aabbccdd 0007 0000"), bytes.fromhex("0000 0007 0011")))
        for counts, edns in ((EDNS1, b""), ((1, 0, 0, 2), opt())):
            for signature in (TSIG, TSIG.replace(b"\3lab\0", b"\xc0\x10", 1)):
                (reply,) = self.exchange(header(counts=counts) + WWW_A + edns + signature)
                self.assertEqual(reply, struct.pack("!6H", 1, 0x8189, *counts) + WWW_A + edns + bad_key)
        self.assertEqual(self.resolver.asked, [])

    def test_case_of_the_question_is_kept(self) -> None:
        """Question and answer have the asker's upper and lower case (RFC 4343; 0x20)."""
        (raw,) = self.exchange(header() + b"\3wWw\3LaB\0\0\1\0\1")
        self.assertIn(b"\3wWw\3LaB\0", raw)
        self.assertNotIn(b"www", raw)

    def test_response_gets_silence(self) -> None:
        """A message with QR set is never answered: two servers must not talk for ever."""
        for flags in (0x8000, 0x8180, 0xFFFF):
            self.assertEqual(self.exchange(header(flags=flags) + WWW_A), [])

    def test_runt_gets_silence(self) -> None:
        """Less than a header gives no id to answer by."""
        for length in range(12):
            self.assertEqual(self.exchange(header()[:length]), [])

    def test_too_much_for_udp_is_truncated(self) -> None:
        """An answer that does not fit is cut to its question with TC set; over TCP it comes whole (RFC 2181, 9)."""
        for payload, edns in ((None, b""), (512, opt(payload=512)), (4096, opt(payload=4096))):
            message = header(counts=(1, 0, 0, 1 if edns else 0)) + BIG.key + b"\0\x10\0\1" + edns
            (raw,) = self.exchange(message)
            reply = dns.message.from_wire(raw)
            self.assertTrue(reply.flags & dns.flags.TC, payload)
            self.assertEqual((len(reply.answer), len(reply.question)), (0, 1))
            self.assertLessEqual(len(raw), 512)
            whole = self.reply(message, stream=True)
            self.assertFalse(whole.flags & dns.flags.TC)
            self.assertEqual(len(whole.answer[0]), len(TEXTS))

    def test_cookie_is_answered_with_a_server_cookie(self) -> None:
        """A client cookie comes back with a server cookie that is valid for this client (RFC 7873)."""
        (cookie,) = self.reply(header(counts=EDNS1) + WWW_A + opt(option(10, b"12345678"))).options[:1]
        whole = cookie.to_wire()
        assert whole is not None
        self.assertEqual(whole[:8], b"12345678")
        self.assertTrue(self.responder.cookies.is_valid(whole, "192.0.2.1", 0))

    def test_nsid_is_told_who_asks_for_it(self) -> None:
        """The server's name is told on request alone (RFC 5001)."""
        told = self.reply(header(counts=EDNS1) + WWW_A + opt(option(3, b""))).options
        self.assertEqual([o.to_wire() for o in told if o.otype == dns.edns.NSID], [b"the lab"])
        self.assertFalse([o for o in self.reply(header(counts=EDNS1) + WWW_A + opt()).options if o.otype == 3])

    def test_keepalive_is_told_over_tcp_alone(self) -> None:
        """The idle time-out is told to who asks over TCP, in tenths of a second (RFC 7828)."""
        message = header(counts=EDNS1) + WWW_A + opt(option(11, b""))
        told = [o.to_wire() for o in self.reply(message, stream=True).options if o.otype == 11]
        self.assertEqual(told, [struct.pack("!H", 100)])
        self.assertFalse([o for o in self.reply(message).options if o.otype == 11])

    def test_extended_error_says_why(self) -> None:
        """Who has EDNS is told where the answer comes from, and without ``explain`` only what went wrong (RFC 8914)."""
        message = header(counts=EDNS1) + WWW_A + opt()
        self.assertEqual([error.text for error in self.reply(message).extended_errors()], ["from the file"])
        self.responder = replace(self.responder, options=ResponderOptions(b"", False, 10.0))
        self.assertEqual(list(self.reply(message).extended_errors()), [])
        unknown = header(counts=EDNS1) + key_of("x.lab") + b"\0\1\0\1" + opt()
        self.assertEqual([error.text for error in self.reply(unknown).extended_errors()], ["so says the table"])

    @given(st.binary(max_size=200), st.booleans())
    def test_any_bytes_get_an_answer_or_silence(self, message: bytes, stream: bool) -> None:
        """Whatever comes, there is one parsable reply with its id, or none."""
        for reply in self.exchange(message, stream):
            self.assertEqual(reply[:2], message[:2])
            self.assertTrue(dns.message.from_wire(reply).flags & dns.flags.QR)

    @given(st.data())
    def test_mutated_questions_get_an_answer_or_silence(self, data: st.DataObject) -> None:
        """A good question with some bytes changed, added or cut is answered or not, and never raises."""
        message = bytearray(data.draw(st.sampled_from([case.message for case in CASES])))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(message) - 1))
            message[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
            if not message:
                return
        for reply in self.exchange(bytes(message)):
            dns.message.from_wire(reply)


def _named(case: Case, stream: bool) -> None:
    def test(self: ComplianceTests) -> None:
        self.check(case, stream)

    test.__name__ = f"test_{case.name}_over_{'tcp' if stream else 'udp'}"
    test.__doc__ = f"The case {case.name} is answered by RCODE {case.rcode}."
    setattr(ComplianceTests, test.__name__, test)


for one in CASES:
    _named(one, stream=False)
    _named(one, stream=True)
