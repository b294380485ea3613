"""Application data told by labnet's codecs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.model import OWN_MARK, RAW, Packet
from labnet.capture.packet.applications import ApplicationData, recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.traffic.course_servers import CourseServers
from tests.capture import samples
from tests.capture.frames import file


def said(data: bytes, answers: bool = False, ports: tuple[int, int] = (54699, 1199)) -> ApplicationData | None:
    """What a datagram with ``data`` is."""
    packet = bytes(samples.udp("10.0.0.1", ports[0], "10.0.0.2", ports[1], data))
    return recognise(dissect(Packet(1, 0, len(packet), packet, RAW)), answers)


def segment(data: bytes) -> ApplicationData | None:
    """What a segment with ``data`` is."""
    frame = samples.Talk().say("client", data).packets[-1][1]
    return recognise(dissect(Packet(1, 0, len(frame), frame, 1)))


class CourseTests(SynchronousTestCase):
    """The course protocol of the resolver."""

    def test_a_bare_name_is_a_question(self) -> None:
        """With its bytes, the newline of some clients too."""
        for data in (b"www.google.co.il", b"www.google.co.il\n"):
            message = said(data)
            self.assertEqual((message.protocol, message.kind, message.name), ("Course", "question", "www.google.co.il"))
            self.assertEqual((message.layer.offset, message.layer.length), (28, len(data)))

    def test_replies_of_every_dialect_are_told_with_the_place_of_each_value(self) -> None:
        """A JSON list and lines of two to five fields."""
        for data in (samples.LINE, b"www.google.co.il,21.09.1992.8,60", b"www.google.co.il, 21.09.1992.8,60,1,5.5\n"):
            message = said(data)
            self.assertEqual(
                (message.kind, message.name, message.outcome), ("reply", "www.google.co.il", "21.09.1992.8")
            )
            for name, value in (
                ("labnet.course.name", b"www.google.co.il"),
                ("labnet.course.address", b"21.09.1992.8"),
                ("labnet.course.ttl", b"60"),
            ):
                field = message.layer.get(name)
                self.assertEqual(data[field.offset - 28 : field.end - 28], value)

    def test_a_bare_address_is_a_reply_only_where_one_is_awaited(self) -> None:
        """By its form alone it could be a name."""
        self.assertEqual(said(b"1.2.3.4").kind, "question")
        self.assertEqual(
            (said(b"1.2.3.4", answers=True).kind, said(b"1.2.3.4", answers=True).outcome), ("reply", "1.2.3.4")
        )

    def test_the_name_that_is_not_known(self) -> None:
        """An empty list, and where one is awaited an empty datagram."""
        self.assertEqual((said(b"[]").kind, said(b"[]").outcome), ("reply", None))
        self.assertEqual(said(b"", answers=True).kind, "reply")
        self.assertIsNone(said(b""))

    def test_other_text_is_none_of_the_course(self) -> None:
        """Neither SSDP nor a name on a port that means something else."""
        self.assertIsNone(said(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"))
        self.assertIsNone(said(b"www.google.co.il", ports=(40000, 5355)))
        self.assertIsNone(said(b"\xff\xfe"))


class OtherProtocolTests(SynchronousTestCase):
    """DNS, DHCP, HTTP and the command server."""

    def test_dns_is_known_by_its_nul_on_any_port(self) -> None:
        """The resolver answers it where it answers the course protocol."""
        for port in (53, 1199):
            frames = [dissect(Packet(1, 0, len(data), data, 1)) for _, data in samples.dns_pair(port)]
            query, answer = (recognise(frame) for frame in frames)
            self.assertEqual(
                (query.protocol, query.kind, query.name, query.ident),
                ("DNS", "question", "www.example.org", 0x1234),
            )
            self.assertEqual((answer.kind, answer.outcome), ("reply", "www.example.org 60 A 192.0.2.7"))

    def test_a_query_that_labnet_would_refuse_is_told_with_its_answer(self) -> None:
        """By the resolver's own codec: here opcode 2."""
        query = bytearray(dissect(Packet(1, 0, 0, samples.dns_pair()[0][1], 1)).data)
        query[2] = 0x10
        packet = bytes(samples.udp("10.0.0.1", 54699, "10.0.0.2", 1199, bytes(query)))
        own = dissect(Packet(1, 0, len(packet), packet, RAW, comment=f"{OWN_MARK}: received"))
        self.assertIn("(labnet answers NOTIMP at once)", recognise(own).says)
        self.assertNotIn("labnet answers", said(bytes(query)).says)

    def test_junk_with_a_nul_is_no_dns(self) -> None:
        """Off port 53 it has to make sense."""
        self.assertIsNone(said(bytes(40)))

    def test_dhcp_messages_are_named(self) -> None:
        """With their options in place."""
        (_, discover), (_, offer) = samples.offer()
        for data, name in ((discover, "Discover"), (offer, "Offer")):
            message = recognise(dissect(Packet(1, 0, len(data), data, 1)))
            self.assertEqual(message.says, f"DHCP {name}, transaction 0x00000007")
        self.assertEqual(message.layer.text("dhcp.option.dhcp_server_id"), "10.0.0.254")
        self.assertEqual(message.layer.text("dhcp.hw.mac_addr"), samples.CLIENT_MAC)

    def test_http_requests_and_replies_have_their_lines(self) -> None:
        """Whole or cut."""
        request = segment(b"GET /a?b HTTP/1.1\r\nHost: example.org\r\n\r\n")
        self.assertEqual((request.kind, request.layer.text("http.request.uri")), ("question", "/a?b"))
        self.assertEqual(request.layer.text("http.request.line"), "Host: example.org")
        reply = segment(b"HTTP/1.1 404 Not Found\r\nServer: x")
        self.assertEqual((reply.kind, reply.layer.text("http.response.code")), ("reply", "404"))

    def test_what_the_command_server_says_is_known_by_its_words(self) -> None:
        """In both styles."""
        for data, name in (
            (b"TIME", "command.command"),
            (b"EXIT\r\n", "command.command"),
            (b"Connected: your IP address is 127.0.0.1 and your port is 39770\n", "command.greeting"),
            (b"MESSAGE!!! ----> We are now connected to ('127.0.0.1', 39770)\n", "command.greeting"),
            (b"Sun Oct  1 13:33:03 2023", "command.reply"),
            (b"Invalid command!\n", "command.reply"),
            (b"WARNING!!! ----> Please enter a valid command!\n", "command.reply"),
        ):
            self.assertEqual(segment(data).layer.fields[0].name, name)
        self.assertIsNone(segment(b"SSH-2.0-x\r\n"))

    def test_dns_over_tcp_is_known_by_its_length(self) -> None:
        """Two bytes before the message."""
        query = dissect(Packet(1, 0, 0, samples.dns_pair()[0][1], 1)).data
        message = segment(len(query).to_bytes(2, "big") + query)
        self.assertEqual((message.protocol, message.name), ("DNS", "www.example.org"))
        self.assertEqual(segment(query).name, "www.example.org")
        self.assertIsNone(segment(query + b"more"))


class OtherPeoplesDatagramsTests(SynchronousTestCase):
    """What is no protocol of the lab's is not told as one."""

    def test_well_known_protocols_have_their_names(self) -> None:
        """Also where their bytes look like DNS."""
        query = bytes(dissect(Packet(1, 0, 0, samples.dns_pair()[0][1], 1)).data)
        for port, protocol in (
            (123, "NTP"), (137, "NBNS"), (520, "RIP"), (5353, "mDNS"), (5355, "LLMNR"), (1900, "SSDP"), (53, "DNS")
        ):  # fmt: skip
            self.assertEqual(said(query, ports=(50000, port)).protocol, protocol)

    def test_text_is_a_question_of_the_course_only_where_a_port_or_a_reply_says_so(self) -> None:
        """Of all that comes over UDP."""
        self.assertEqual(said(b"www.example.org", ports=(50000, 1199)).protocol, "Course")
        self.assertIsNone(said(b"www.example.org", ports=(50000, 9999)))
        with file(samples.pcap([
            (1.0, bytes(samples.udp("10.0.0.1", 5, "10.0.0.2", 9999, b"a.b"))),
            (1.1, bytes(samples.udp("10.0.0.2", 9999, "10.0.0.1", 5, b"[]"))),
        ], RAW)) as path:  # fmt: skip
            servers = CourseServers(path)
            packet = bytes(samples.udp("10.0.0.1", 5, "10.0.0.2", 9999, b"a.b"))
            message = recognise(dissect(Packet(1, 0, len(packet), packet, RAW)), asks_course=servers.speaks)
        self.assertEqual((message.protocol, message.name), ("Course", "a.b"))

    def test_a_list_of_words_is_no_reply(self) -> None:
        """Three fields, of which the last is a TTL, or a JSON list."""
        self.assertIsNone(said(b"one,two,three", ports=(9999, 50000)))
        self.assertEqual(said(b"a.example,192.0.2.1,60", ports=(9999, 50000)).outcome, "192.0.2.1")

    def test_a_request_line_that_goes_on_is_a_request(self) -> None:
        """Of any method."""
        for data in (b"CONNECT apache.org:443 HTTP/1.1\r\n\r\n", b"PROPFIND /x HTTP/1.1\r\n", b"GET /a/long/pa"):
            self.assertEqual((segment(data).protocol, segment(data).kind), ("HTTP", "question"))
        self.assertIsNone(segment(b"GETTING there"))
