"""Zones in full and in part for other servers, by TCP and UDP, signed and not."""

from __future__ import annotations

from collections.abc import Iterator

import dns.message
import dns.opcode
import dns.rcode
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.transport import Transport
from labnet.wire.transfer import notify_query
from tests.resolver.dnsfakes import framed
from tests.resolver.transfers.primary import (
    Primary,
    opened,
    question,
    shown,
    signed,
    split,
)

LOOPBACK = "127.0.0.0/8"
MANY = "".join(f"host{number} A 10.0.{number // 250}.{number % 250}\n" for number in range(5000))
SOA = (b"\3lab\4test\0", 6, 60, b"\2ns\0\2ns\0" + (9).to_bytes(4, "big") + bytes(16))


def rcodes(messages: list[dns.message.Message]) -> list[str]:
    """The RCODE of each."""
    return [dns.rcode.to_text(message.rcode()) for message in messages]


class WholeZoneTests(SynchronousTestCase):
    """AXFR (RFC 5936)."""

    def test_zone_comes_whole_between_two_soas(self) -> None:
        """With glue, what is beyond cuts, wildcards, and names in the case of the file."""
        records = "sub NS ns.sub\nns.sub A 192.0.2.1\n*.w A 192.0.2.2\nMixed TXT a\nMixed TXT b\n"
        primary = Primary(self, records, transfer=LOOPBACK)
        found = shown(primary.ask(question()))
        self.assertEqual((found[0], found[-1]), ("@ SOA 1", "@ SOA 1"))
        wanted = ["@ NS ns.lab.test.", 'Mixed TXT "a"', 'Mixed TXT "b"', "*.w A 192.0.2.2", "ns A 192.0.2.53"]
        self.assertEqual(sorted(found[1:-1]), sorted([*wanted, "ns.sub A 192.0.2.1", "sub NS ns.sub.lab.test."]))
        self.assertEqual(primary.count("out", "axfr", "done"), 1)

    def test_names_of_reverse_mapping_are_part_of_their_zone(self) -> None:
        """What is answered is what is given, also where it is in no file."""
        zones = ["lab.test", "2.0.192.in-addr.arpa"]
        primary = Primary(self, "host A 192.0.2.1\nother A 10.0.0.1\n", transfer=LOOPBACK, zones=zones)
        names = [line for line in shown(primary.ask(question("2.0.192.in-addr.arpa"))) if " PTR " in line]
        expected = ["1.2.0.192.in-addr.arpa PTR host.lab.test.", "53.2.0.192.in-addr.arpa PTR ns.lab.test."]
        self.assertEqual(sorted(names), expected)

    def test_nobody_may_have_a_zone_unless_it_is_said(self) -> None:
        """Others than those in transfer are refused, by each way and for each type."""
        for primary, host in ((Primary(self), "127.0.0.1"), (Primary(self, transfer="127.0.0.2/32"), "127.0.0.1")):
            for rrtype, serial in (("AXFR", None), ("IXFR", 1)):
                self.assertEqual(rcodes(primary.ask(question("lab.test", rrtype, serial), host)), ["REFUSED"])
                reply = primary.datagram(question("lab.test", rrtype, serial))
                self.assertEqual(rcodes([dns.message.from_wire(reply)]), ["REFUSED"])

    def test_zone_by_udp_is_refused(self) -> None:
        """There is no such thing (RFC 5936, section 4.2)."""
        reply = Primary(self, transfer=LOOPBACK).datagram(question())
        self.assertEqual(rcodes([dns.message.from_wire(reply)]), ["REFUSED"])

    def test_other_zones_are_notauth(self) -> None:
        """Names in a zone, names above it, names of others (RFC 5936, section 2.2.1)."""
        primary = Primary(self, "host A 192.0.2.1\n", transfer=LOOPBACK)
        for zone in ("host.lab.test", "test", "example"):
            self.assertEqual(rcodes(primary.ask(question(zone))), ["NOTAUTH"])

    def test_edns_is_answered_by_edns(self) -> None:
        """In each message, and in none where it was not used."""
        primary = Primary(self, MANY, transfer=LOOPBACK)
        for edns in (0, -1):
            messages = primary.ask(question(edns=edns))
            self.assertGreater(len(messages), 2)
            self.assertEqual({message.edns for message in messages}, {edns})


class StreamTests(SynchronousTestCase):
    """A large zone on its way."""

    def test_client_that_does_not_read_has_little_made_for_it(self) -> None:
        """Nothing more is encoded than its connection takes; when it reads on, all comes."""
        primary = Primary(self, MANY, transfer=LOOPBACK)
        client = primary.connect()
        client.stop_reading(1000)
        client.send(framed(question()))
        self.assertEqual(len(client.received()), 1000)
        held = primary.reactor.getDelayedCalls()
        primary.reactor.turn()
        self.assertEqual([call.getTime() for call in held if call.getTime() <= primary.reactor.seconds()], [])
        client.forget()
        client.read_on()
        self.assertGreater(len(client.received()), 100_000)
        self.assertEqual(primary.count("out", "axfr", "done"), 1)

    def test_client_that_never_reads_is_cut_off(self) -> None:
        """After the time that a silent connection has."""
        primary = Primary(self, MANY, transfer=LOOPBACK, tcp_idle=5, zones=["lab.test"])
        client = primary.connect()
        client.stop_reading()
        client.send(framed(question()))
        primary.reactor.pass_time(11)
        self.assertTrue(client.reset)
        self.assertEqual(primary.count("out", "axfr", "failed"), 1)

    def test_only_so_many_at_a_time(self) -> None:
        """One more is SERVFAIL, and when one is done or cut, another may have its zone."""
        primary = Primary(self, MANY, transfer=LOOPBACK, transfers=1)
        first = primary.connect()
        first.stop_reading()
        first.send(framed(question()))
        self.assertEqual(rcodes(primary.ask(question())), ["SERVFAIL"])
        first.vanish()
        self.assertEqual(rcodes(primary.ask(question()))[0], "NOERROR")
        self.assertEqual(len(shown(primary.ask(question()))), 5004)

    def test_other_questions_of_the_connection_are_answered_meanwhile(self) -> None:
        """Answers come as they are there; whoever sends no more gets the rest of the zone all the same."""
        primary = Primary(self, MANY, transfer=LOOPBACK)
        client = primary.connect()
        asked = dns.message.make_query("ns.lab.test", "A", id=8).to_wire()
        client.post(framed(question()) + framed(asked))
        client.half_close()
        messages = split(client.received())
        self.assertEqual(sum(message.id == 8 for message in messages), 1)
        self.assertEqual(len(shown([message for message in messages if message.id == 7])), 5004)
        self.assertTrue(client.closed)

    def test_zone_that_changes_meanwhile_is_given_as_it_was(self) -> None:
        """What is given is one version, from one SOA to the same."""
        primary = Primary(self, MANY, transfer=LOOPBACK)
        client = primary.connect()
        client.stop_reading(1000)
        client.send(framed(question()))
        primary.reload("one A 192.0.2.1\n", 2)
        client.read_on()
        found = shown(split(client.received()))
        self.assertEqual((found[0], found[-1], len(found)), ("@ SOA 1", "@ SOA 1", 5004))
        self.assertEqual(shown(primary.ask(question()))[0], "@ SOA 2")

    def test_stop_ends_it(self) -> None:
        """A zone that nobody reads does not hold up the end."""
        primary = Primary(self, MANY, transfer=LOOPBACK)
        client = primary.connect()
        client.stop_reading()
        client.send(framed(question()))
        primary.stop()
        self.assertTrue(client.closed)


class ChangesTests(SynchronousTestCase):
    """IXFR (RFC 1995)."""

    def setUp(self) -> None:
        self.primary = Primary(self, "a A 192.0.2.1\nb A 192.0.2.2\n", transfer=LOOPBACK)

    def changed(self, serial: int) -> list[str]:
        """What comes by TCP for who has ``serial``."""
        return shown(self.primary.ask(question("lab.test", "IXFR", serial)))

    def test_changes_come_from_one_version_to_the_next(self) -> None:
        """What goes stands behind the old SOA, what comes behind the new one (RFC 1995, section 4)."""
        self.primary.reload("a A 192.0.2.1\nb A 192.0.2.22\nc TXT new\n", 2)
        self.primary.reactor.turn()
        self.primary.reload("b A 192.0.2.22\nc TXT new\n", 5)
        self.primary.reactor.turn()
        second = ["@ SOA 2", "a A 192.0.2.1", "@ SOA 5"]
        first = ["@ SOA 1", "b A 192.0.2.2", "@ SOA 2", "b A 192.0.2.22", 'c TXT "new"']
        self.assertEqual(self.changed(1), ["@ SOA 5", *first, *second, "@ SOA 5"])
        self.assertEqual(self.changed(2), ["@ SOA 5", *second, "@ SOA 5"])

    def test_who_has_the_newest_gets_the_soa_alone(self) -> None:
        """So does who has a newer one than there is."""
        for serial in (1, 2):
            self.assertEqual(self.changed(serial), ["@ SOA 1"])
        self.assertEqual(self.primary.count("out", "ixfr", "current"), 2)

    def test_unknown_version_gets_the_zone(self) -> None:
        """Older than what is kept, or never served."""
        whole = ["@ SOA 9", "@ NS ns.lab.test.", "ns A 192.0.2.53", "a A 192.0.2.3", "@ SOA 9"]
        self.primary.reload("a A 192.0.2.3\n", 9)
        self.primary.reactor.turn()
        for serial in (0, 3):
            self.assertEqual(sorted(self.changed(serial)), sorted(whole))

    def test_version_that_is_still_compared_waits_for_its_changes(self) -> None:
        """By UDP it is told to come by TCP; there they are sent as soon as they are known."""
        self.primary.write("a A 192.0.2.3\n", 2)
        self.primary.service.prepare(*self.primary.load()).commit()
        reply = self.primary.datagram(question("lab.test", "IXFR", 1))
        self.assertEqual(shown([dns.message.from_wire(reply)]), ["@ SOA 2"])
        changes = ["@ SOA 1", "a A 192.0.2.1", "b A 192.0.2.2", "@ SOA 2", "a A 192.0.2.3"]
        streams: list[Iterator[bytes]] = []
        respond, ends = self.primary.service.streams.responder.respond, (("127.0.0.1", 4000), None)
        asked = question("lab.test", "IXFR", 1)
        respond(asked, ends, Transport.TCP, self.fail, send_all=lambda messages, over: streams.append(messages))
        (messages,) = streams
        self.assertEqual([next(messages), next(messages)], [b"", b""])
        self.primary.reactor.turn()
        found = [dns.message.from_wire(each, one_rr_per_rrset=True) for each in messages]
        self.assertEqual(shown(found), ["@ SOA 2", *changes, "@ SOA 2"])
        reply = self.primary.datagram(question("lab.test", "IXFR", 1))
        self.assertIn("b A 192.0.2.2", shown([dns.message.from_wire(reply, one_rr_per_rrset=True)]))

    def test_by_udp_what_does_not_fit_is_the_soa_alone(self) -> None:
        """The client comes by TCP then (RFC 1995, section 4)."""
        self.primary.reload(MANY, 2)
        self.primary.reactor.turn()
        reply = dns.message.from_wire(self.primary.datagram(question("lab.test", "IXFR", 1)))
        self.assertEqual(shown([reply]), ["@ SOA 2"])
        self.assertEqual(len(self.changed(1)), 5000 + 2 + 4)

    def test_question_without_a_serial_is_formerr(self) -> None:
        """There is no saying what changed."""
        self.assertEqual(rcodes(self.primary.ask(question("lab.test", "IXFR"))), ["FORMERR"])


class SignedTests(SynchronousTestCase):
    """Questions signed by a key (RFC 8945)."""

    def setUp(self) -> None:
        self.primary = Primary(self, MANY, transfer="key:key.lab", allow="0.0.0.0/0")
        self.now = self.primary.reactor.seconds()

    def test_who_signs_may_have_the_zone_and_others_not(self) -> None:
        """Wherever it comes from; each message is signed, behind the one before."""
        message, mac = signed(question(), self.now)
        client = self.primary.connect("192.0.2.7")
        client.send(framed(message))
        messages = [
            dns.message.from_wire(each, one_rr_per_rrset=True) for each in opened(client.received(), mac, self.now)
        ]
        self.assertGreater(len(messages), 2)
        self.assertEqual(len(shown(messages)), 5004)
        self.assertEqual(rcodes(self.primary.ask(question())), ["REFUSED"])

    def test_ordinary_questions_are_answered_signed(self) -> None:
        """By UDP and by TCP, from the records and as any other."""
        message, mac = signed(dns.message.make_query("ns.lab.test", "A", use_edns=0).to_wire(), self.now)
        for _ in range(2):
            (raw,) = opened(framed(self.primary.datagram(message)), mac, self.now)
            reply = dns.message.from_wire(raw)
            self.assertEqual(shown([reply]), ["ns A 192.0.2.53"])
        client = self.primary.connect()
        client.send(framed(message), framed(message))
        stream = client.received()
        half = stream[: len(stream) // 2]
        self.assertEqual(stream, half * 2)
        self.assertEqual(len(opened(half, mac, self.now)), 1)

    def test_signature_counts_for_what_fits_into_a_datagram(self) -> None:
        """What would fit without it is truncated, and asked for by TCP."""
        records = "".join(f'big TXT "{chr(97 + n) * 100}"\n' for n in range(4))
        self.primary.reload(records, 2)
        bare = dns.message.make_query("big.lab.test", "TXT").to_wire()
        self.assertFalse(dns.message.from_wire(self.primary.datagram(bare)).flags & dns.flags.TC)
        message, mac = signed(bare, self.now)
        signed_reply = self.primary.datagram(message)
        (raw,) = opened(framed(signed_reply), mac, self.now)
        self.assertTrue(dns.message.from_wire(raw).flags & dns.flags.TC)
        self.assertLessEqual(len(signed_reply), 512)

    def test_wrong_signature_is_refused_whoever_asks(self) -> None:
        """BADSIG and BADTIME, for zones and for names, and NOTIFY too."""
        for bare in (question(), dns.message.make_query("ns.lab.test", "A").to_wire()):
            message, _ = signed(bare, self.now)
            for wrong, error in (
                (message[:-10] + b"\0" + message[-9:], "BADSIG"),
                (signed(bare, self.now - 301)[0], "BADTIME"),
            ):
                (reply,) = self.primary.ask(wrong)
                self.assertEqual((rcodes([reply]), reply.tsig_error), (["NOTAUTH"], dns.rcode.from_text(error)))

    def test_change_of_the_key_counts_from_the_reload_on(self) -> None:
        """The table of keys is read anew."""
        message, _ = signed(question(), self.now)
        self.primary.reload("", 2, transfer=[])
        (reply,) = self.primary.ask(message)
        self.assertEqual((rcodes([reply]), reply.tsig_error), (["REFUSED"], 0))


class NotifyTests(SynchronousTestCase):
    """NOTIFY from others (RFC 1996)."""

    def reply(self, primary: Primary, message: bytes, host: str) -> str:
        """How it is answered."""
        reply = dns.message.from_wire(primary.datagram(message, host), keyring=False)
        self.assertEqual(reply.opcode(), dns.opcode.NOTIFY)
        return dns.rcode.to_text(reply.rcode())

    def test_primaries_alone_may_say_that_a_zone_is_newer(self) -> None:
        """By their address; others are refused, and so is it for other zones."""
        primary = Primary(self, zones=[], secondary={"lab.test": ["192.0.2.1", "192.0.2.2:5300 key:key.lab"]})
        message = notify_query(5, SOA)
        self.assertEqual(self.reply(primary, message, "192.0.2.9"), "REFUSED")
        self.assertEqual(self.reply(primary, message, "192.0.2.2"), "REFUSED")
        self.assertEqual(self.reply(primary, message.replace(b"\3lab", b"\3bal"), "192.0.2.1"), "REFUSED")
        self.assertEqual(primary.notified, [])
        self.assertEqual(self.reply(primary, message, "192.0.2.1"), "NOERROR")
        signed_message, _ = signed(message, primary.reactor.seconds())
        self.assertEqual(self.reply(primary, signed_message, "192.0.2.2"), "NOERROR")
        self.assertEqual(primary.notified, [("main", SOA[0], 9, host) for host in ("192.0.2.1", "192.0.2.2")])

    def test_who_is_no_secondary_does_not_know_it(self) -> None:
        """NOTIMP, as for any opcode that is not known."""
        self.assertEqual(self.reply(Primary(self, transfer=LOOPBACK), notify_query(5, SOA), "192.0.2.1"), "NOTIMP")

    def test_what_cannot_be_read_is_formerr(self) -> None:
        """And tells nothing."""
        primary = Primary(self, zones=[], secondary={"lab.test": "192.0.2.1"})
        self.assertEqual(self.reply(primary, notify_query(5, SOA)[:14], "192.0.2.1"), "FORMERR")
        self.assertEqual(primary.notified, [])
