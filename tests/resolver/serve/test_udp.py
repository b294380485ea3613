"""Tests for the UDP side of :mod:`labnet.resolver.serve.udp`: both protocols on one port."""

from __future__ import annotations

import math

import dns.message
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import key_of
from labnet.resolver.clients.counts import Cell
from tests.resolver.lab import CLIENT, COURSE, EPOCH, Lab, errors, rcode, shown

RECORDS = {"ips.txt": "www.biu.ac.il,1.2.3.4,180\nodd.biu.ac.il,21.09.1992.8,60\n"}
COURSE_PARENT = ["text:192.0.2.53:1200"]


class BothProtocolsTests(SynchronousTestCase):
    """The same records over both protocols, told apart by the bytes."""

    def test_same_record_over_both(self) -> None:
        """A name is told as an information line and as an A record."""
        lab = Lab(self, RECORDS)
        lab.course("www.biu.ac.il")
        self.assertEqual(lab.course_told(), f'["www.biu.ac.il", "1.2.3.4", "180", "0", {EPOCH}]'.encode())
        self.assertEqual(shown(lab.ask("www.biu.ac.il")), ["www.biu.ac.il. 180 IN A 1.2.3.4"])

    def test_dialect_line(self) -> None:
        """The dialect is for the course protocol alone."""
        lab = Lab(self, RECORDS, dialect="line", newline=True, unknown="not here", parents=[])
        lab.course("www.biu.ac.il\n")
        self.assertEqual(lab.course_told(), b"www.biu.ac.il,1.2.3.4,180\n")
        lab.course("x.biu.ac.il")
        self.assertEqual(lab.course_told(), b"not here\n")
        lab.course("not here")
        self.assertFalse(lab.network.sent)
        self.assertEqual(len(shown(lab.ask("www.biu.ac.il"))), 1)

    def until(self, lab: Lab, name: str) -> float:
        """How many seconds after the start the ready answer to a course question ends."""
        packet = lab.service.packets.course.packets[key_of(name.encode(), 0)]
        return round(packet[3] - EPOCH, 3)

    def test_ready_answer_lasts_no_longer_than_what_leads_to_it(self) -> None:
        """A static address behind a learned CNAME is given as long as that is valid and not to be asked anew."""
        lab = Lab(self, RECORDS)
        lab.resolve("alias.example", "alias.example. 50 CNAME www.biu.ac.il.")
        lab.resolve("far.example", "far.example. 90 CNAME alias.example.")
        for name in ("alias.example", "far.example", "www.biu.ac.il"):
            lab.course(name)
            self.assertIn(b"1.2.3.4", lab.course_told())
        self.assertEqual(self.until(lab, "alias.example"), 45)
        self.assertEqual(self.until(lab, "far.example"), 45)
        self.assertEqual(self.until(lab, "www.biu.ac.il"), math.inf)

    def test_ready_answer_lasts_as_long_as_it_is_valid(self) -> None:
        """What a course parent told is given for all its TTL without a look at the cache, and then asked for anew."""
        lab = Lab(self, parents=COURSE_PARENT)
        lab.course("x.example")
        lab.network.deliver(b"x.example,1.2.3.4,60", COURSE, lab.take(COURSE).source)
        lab.course_told()
        lab.course("x.example")
        told = lab.course_told()
        self.assertEqual(self.until(lab, "x.example"), 60)
        looks = self.patch(lab.service._resolver, "known", lambda *_, **__: self.fail("it is worked out anew"))
        lab.pass_time(60)
        lab.course("x.example")
        self.assertEqual(lab.course_told(), told)
        looks.restore()
        lab.pass_time(0.1)
        lab.course("x.example")
        lab.take(COURSE)

    def test_name_is_asked_anew_by_course_questions_too(self) -> None:
        """In the last tenth of what a DNS parent told no ready answer stands before the cache, which asks anew."""
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 100 A 192.0.2.1")
        for moment in (1, 88, 3):
            lab.pass_time(moment)
            lab.course("web.example")
            self.assertIn(b"192.0.2.1", lab.course_told())
        lab.tell(lab.asked("web.example"), "web.example. 100 A 192.0.2.2")
        lab.course("web.example")
        self.assertIn(b"192.0.2.2", lab.course_told())

    def test_ready_answers_are_given_without_a_batch_port_too(self) -> None:
        """Twisted's own port serves from the packet caches as the batch port does."""
        lab = Lab(self, RECORDS)
        lab.service.packets.course.put(b"www.biu.ac.il", b"ready", math.inf, Cell("udp", "json", "found", "records"))
        lab.course("www.biu.ac.il")
        self.assertEqual(lab.course_told(), b"ready")

    def test_address_that_is_none(self) -> None:
        """DNS is told NODATA, and why; the course protocol the address as it stands."""
        lab = Lab(self, RECORDS)
        reply = lab.ask("odd.biu.ac.il")
        self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", []))
        self.assertIn("the address of the record is no IPv4 address: '21.09.1992.8'", errors(reply))
        lab.course("odd.biu.ac.il")
        self.assertIn(b'"21.09.1992.8"', lab.course_told())

    def test_what_is_no_name_gets_silence(self) -> None:
        """Text of a server that answers anything (daytime, a quote), and what has the shape of a reply."""
        lab = Lab(self, RECORDS)
        for text in (
            b"\xff\xfe",
            b"Sun Oct  1 13:33:03 2023\r\n",
            b'"To be, or not to be" Shakespeare\r\n',
            b"#www.biu.ac.il",
            b"a" * 300,
            b"[]",
            b"a,1.2.3.4,60",
            b"10.0.0.1",
            b"",
            b" \n",
        ):
            lab.send(text)
        self.assertFalse(lab.network.sent)
        self.assertEqual(lab.service.counts.lost["malformed"], 10)

    def test_ports_of_servers_that_answer_anything_get_silence(self) -> None:
        """Over both protocols, for what is known and for what is ready too; the port beside them is answered."""
        lab = Lab(self, RECORDS)
        query = dns.message.make_query("www.biu.ac.il", "A").to_wire()
        for port in (8, 0, 7, 13, 17, 19, 37, 464):
            for datagram in (query, b"www.biu.ac.il", b"nowhere.example"):
                lab.send(datagram, (CLIENT[0], port))
            if port == 8:
                lab.network.sent.clear()
        self.assertFalse(lab.network.sent)

    def test_two_servers_that_do_not_know_each_others_words_fall_silent(self) -> None:
        """Each reply comes back as a question: ten at once, then one a second; another client is told meanwhile."""
        lab = Lab(self, RECORDS, parents=[], dialect="line", unknown="nope")
        counts = []
        for _ in range(3):
            for _ in range(100):
                lab.course("nada")
            counts.append(len(lab.network.sent))
            lab.network.sent.clear()
            lab.pass_time(1)
        self.assertEqual(counts, [10, 1, 1])
        for client in (CLIENT[0], 9), ("172.16.20.66", CLIENT[1]):
            lab.course("nada", client)
            self.assertEqual(lab.course_told(client), b"nope")
        self.assertEqual(lab.service.counts.lost["repeated"], 288)

    def test_a_reply_is_no_more_than_three_times_its_question(self) -> None:
        """A longer one goes to networks without a rate limit alone, whether it is known, learned, or ready."""
        records = {"ips.txt": f"a,{'x' * 200},60\nwww.biu.ac.il,1.2.3.4,180\n"}
        lab = Lab(self, records, rate_exempt="172.16.20.66/32", parents=COURSE_PARENT)
        exempt = ("172.16.20.66", 5)
        for _ in range(3):
            lab.course("a", exempt)
            self.assertIn(b"x" * 200, lab.course_told(exempt))
            lab.course("a")
            self.assertFalse(lab.network.sent)
            lab.course("www.biu.ac.il")
            self.assertIn(b"1.2.3.4", lab.course_told())
        lab.course("b")
        lab.network.deliver(b"b," + b"y" * 200 + b",60", COURSE, lab.take(COURSE).source)
        self.assertFalse(lab.network.sent)
        self.assertEqual(lab.service.counts.lost["amplified"], 4)

    def test_response_is_never_answered(self) -> None:
        """A DNS response that comes to our port gets silence."""
        lab = Lab(self, RECORDS)
        lab.send(dns.message.make_response(dns.message.make_query("www.biu.ac.il", "A")).to_wire())
        self.assertFalse(lab.network.sent)

    def test_repeated_course_question_is_answered_once(self) -> None:
        """A client that asks again while it waits gets one reply; another port of it gets its own."""
        lab = Lab(self, parents=COURSE_PARENT)
        for client in (CLIENT, CLIENT, (CLIENT[0], 8)):
            lab.course("x.example", client)
        query = lab.take(COURSE)
        lab.network.deliver(b"x.example,1.2.3.4,0", COURSE, query.source)
        lab.course_told()
        lab.course_told((CLIENT[0], 8))
        self.assertFalse(lab.network.sent)
        lab.pass_time(1)
        lab.course("x.example")
        lab.network.deliver(b"x.example,1.2.3.5,60", COURSE, lab.take(COURSE).source)
        self.assertIn(b"1.2.3.5", lab.course_told())

    def test_reply_that_cannot_be_sent_is_dropped(self) -> None:
        """A client that the system cannot send to costs nothing; others are served on, over both protocols."""
        lab = Lab(self, RECORDS)
        lab.network.send_errors[CLIENT] = OSError(101, "Network is unreachable")
        lab.course("www.biu.ac.il")
        lab.begin("www.biu.ac.il")
        lab.begin("web.example")
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        self.assertFalse(lab.network.sent)
        self.assertEqual(len(shown(lab.ask("www.biu.ac.il", client=(CLIENT[0], 9)))), 1)

    def test_answer_after_the_stop_is_dropped(self) -> None:
        """A protocol whose port is closed sends nothing and says nothing."""
        lab = Lab(self, RECORDS)
        port = lab.network.sockets["127.0.0.1", 1199]
        lab.stop()
        port.protocol.datagramReceived(b"www.biu.ac.il", CLIENT)
        self.assertFalse(lab.network.sent)

    @given(st.binary(max_size=80))
    def test_any_datagram_leaves_the_server_sane(self, datagram: bytes) -> None:
        """Whatever comes, one datagram at most goes back, and the next question is answered."""
        lab = Lab(self, RECORDS, parents=[])
        lab.send(datagram)
        self.assertLessEqual(len(lab.network.sent), 1)
        lab.network.sent.clear()
        self.assertEqual(len(shown(lab.ask("www.biu.ac.il"))), 1)
        lab.stop()
