"""The exercises, answered from captures of which the answers are known."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, CookedLinuxV2
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.run import Done, run
from labnet.capture.exercises.text import answered, as_json, blank
from tests.capture import samples
from tests.capture.frames import file


def done(name: str, packets: Iterable[tuple[float, bytes]], **how: object) -> Done:
    with file(samples.pcap(packets, **how)) as path:
        return run(name, path, lambda read: None)


def answers(name: str, packets: Iterable[tuple[float, bytes]], **how: object) -> dict[str, ExerciseAnswer]:
    return {answer.key: answer for answer in done(name, packets, **how).answers}


def values(name: str, packets: Iterable[tuple[float, bytes]], **how: object) -> dict[str, str | None]:
    return {key: answer.value for key, answer in answers(name, packets, **how).items()}


def http(ttl: int = 64, reply: bool = True) -> list[tuple[float, bytes]]:
    """One request, and a segment of its reply that arrives with ``ttl``."""
    ask = (
        IP(src="10.0.0.1", dst="192.0.2.80") / TCP(sport=4000, dport=80, flags="PA", seq=1) / b"GET / HTTP/1.1\r\n\r\n"
    )
    back = IP(src="192.0.2.80", dst="10.0.0.1", ttl=ttl) / TCP(sport=80, dport=4000, flags="A")
    packets = [(1.0, samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, ask))]
    return packets + ([(1.1, samples.frame(samples.CHILD_MAC, samples.CLIENT_MAC, back))] if reply else [])


def arp_reply(address: str, mac: str) -> tuple[float, bytes]:
    packet = ARP(op=2, hwsrc=mac, psrc=address, hwdst=samples.CLIENT_MAC, pdst="10.0.0.1")
    return (0.5, samples.frame(mac, samples.CLIENT_MAC, packet))


class ProofTests(SynchronousTestCase):
    """What holds for every answer."""

    def test_every_proof_is_bytes_of_the_frame_that_it_names(self) -> None:
        """At the offset that it gives."""
        everything = [*samples.arp_pair(), *samples.ping(), *samples.offer(), *http(), *samples.four_packets()]
        for name in ("ip", "dhcp", "arp", "http", "trace"):
            exercise = done(name, everything)
            for answer in exercise.answers:
                self.assertIsNotNone(answer.value, answer.key)
                self.assertTrue(answer.proofs and answer.explanation, answer.key)
                for proof in answer.proofs:
                    data = everything[proof.frame - 1][1]
                    self.assertEqual(data[proof.offset : proof.offset + len(proof.data)], proof.data)

    def test_a_capture_without_what_is_asked_for_says_what_to_do(self) -> None:
        """In each exercise, for each question."""
        for name, advice in (
            ("ip", "ping -4"),
            ("dhcp", "dhclient"),
            ("arp", "ip neigh flush all"),
            ("http", "curl http://"),
            ("trace", "labnet capture -i any"),
        ):
            exercise = done(name, samples.ping6())
            for answer in exercise.answers:
                self.assertIsNone(answer.value)
                self.assertIn(advice, answer.missing or "")
            self.assertIn("Not in this capture, as above.", "\n".join(answered(exercise, False)).replace("   ", ""))

    def test_a_snap_length_that_cuts_the_answer_off_is_told(self) -> None:
        """What is before the cut is answered."""
        found = answers("ip", samples.ping(), snap=50)
        self.assertEqual(found["source"].value, "10.0.0.1")
        with_cut_options = answers("dhcp", samples.offer(), snap=300)
        self.assertIn("snap length cut frame 2", with_cut_options["dns_servers"].missing or "")

    def test_json_has_everything_for_programs(self) -> None:
        """Values, places and bytes."""
        found = json.loads(as_json(done("ip", samples.ping()), None))
        self.assertEqual(found["answers"][0]["answer"], "10.0.0.1")
        self.assertEqual(
            found["answers"][0]["proofs"],
            [{"frame": 1, "offset": 26, "bytes": "0a000001", "field": "Source address"}],
        )

    def test_the_blank_sheet_is_toml_with_every_question(self) -> None:
        """It can be filled in and checked."""
        exercise = done("trace", samples.four_packets())
        sheet = tomllib.loads("\n".join(blank(exercise)))
        self.assertEqual(set(sheet["trace"]), {"packet1", "packet2", "packet3", "packet4"})
        self.assertEqual(len(sheet["trace"]["packet1"]), 7)


class IPTests(SynchronousTestCase):
    """The header of the first echo request."""

    def test_the_answers(self) -> None:
        """The second packet of the capture is the one."""
        self.assertEqual(
            values("ip", [*samples.dns_pair(), *samples.ping()]),
            {
                "source": "10.0.0.1",
                "destination": "10.0.0.2",
                "protocol": "ICMP (1)",
                "header_length": "20",
                "payload_length": "16",
                "ttl": "64",
                "ttl_meaning": "how many more routers (hops) it may pass before it is dropped",
                "version_field": "version",
            },
        )

    def test_only_ipv6_pings_are_told_apart_from_none(self) -> None:
        """The exercise is about IPv4."""
        self.assertIn("IPv6's echo requests only", answers("ip", samples.ping6())["ttl"].missing or "")


class DHCPTests(SynchronousTestCase):
    """Discover and Offer."""

    def test_the_answers(self) -> None:
        """Lists keep their order."""
        found = values("dhcp", samples.offer())
        self.assertEqual(
            {key: found[key] for key in found if key != "why_not_tcp"},
            {
                "transport": "UDP",
                "client_port": "68",
                "server_port": "67",
                "server_identifier": "10.0.0.254",
                "subnet_mask": "255.255.255.0",
                "router": "10.0.0.254",
                "dns_servers": "10.0.0.53, 10.0.0.54",
            },
        )

    def test_an_offer_without_an_option_says_that_the_server_gives_none(self) -> None:
        """The other answers stay."""
        options = [("message-type", "offer"), ("server_id", "10.0.0.254"), "end"]
        found = answers("dhcp", samples.offer(options=options))
        self.assertEqual(found["server_identifier"].value, "10.0.0.254")
        self.assertIn("this server gives none", found["router"].missing or "")


class ARPTests(SynchronousTestCase):
    """Broadcast and reply."""

    def test_the_answers(self) -> None:
        """The EtherType is ARP's own."""
        self.assertEqual(
            values("arp", samples.arp_pair()),
            {
                "ethertype": "ARP (0x0806)",
                "broadcast_mac": "ff:ff:ff:ff:ff:ff",
                "asked_address": "10.0.0.2",
                "reply_ip": "10.0.0.2",
                "reply_mac": samples.CHILD_MAC,
            },
        )

    def test_a_request_that_nobody_answers_is_passed_over_for_one_with_a_reply(self) -> None:
        """And counts as right in a student's answer all the same."""
        lonely = ARP(op=1, hwsrc=samples.CLIENT_MAC, psrc="10.0.0.1", pdst="10.0.0.77")
        packets = [(0.1, samples.frame(samples.CLIENT_MAC, "ff:ff:ff:ff:ff:ff", lonely)), *samples.arp_pair()]
        found = answers("arp", packets)
        self.assertEqual(found["asked_address"].value, "10.0.0.2")
        self.assertEqual(found["asked_address"].also, {"10.0.0.77": "frame 1 asks for that one"})

    def test_a_cooked_capture_lacks_the_broadcast_address(self) -> None:
        """The rest is there."""
        ask = ARP(op=1, hwsrc=samples.CLIENT_MAC, psrc="10.0.0.1", pdst="10.0.0.2")
        data = bytes(CookedLinuxV2(proto=0x0806, lladdrtype=1, lladdrlen=6, pkttype=1, src=b"\2\0\0\0\0\1") / ask)
        found = answers("arp", [(1.0, data)], link_type=276)
        self.assertEqual((found["ethertype"].value, found["asked_address"].value), ("ARP (0x0806)", "10.0.0.2"))
        self.assertIn("keeps no destination MAC address", found["broadcast_mac"].missing or "")


class HTTPTests(SynchronousTestCase):
    """Whose the MAC address is."""

    def owner(self, packets: list[tuple[float, bytes]]) -> tuple[str | None, str]:
        answer = answers("http", packets)["destination_mac_owner"]
        return answer.value, answer.explanation or answer.missing or ""

    def test_the_addresses_and_the_ethertype(self) -> None:
        """Of the request."""
        found = values("http", http())
        self.assertEqual((found["source_mac"], found["destination_mac"]), (samples.CLIENT_MAC, samples.CHILD_MAC))
        self.assertEqual(found["ethertype"], "IPv4 (0x0800)")

    def test_arp_tells_that_it_is_the_routers(self) -> None:
        """It belongs to another IP address than the server's."""
        value, why = self.owner([arp_reply("10.0.0.254", samples.CHILD_MAC), *http()])
        self.assertEqual(value, "the router's")
        self.assertIn("belongs to 10.0.0.254, which is not the web server 192.0.2.80", why)

    def test_arp_tells_that_it_is_the_servers_own(self) -> None:
        """On the same link there is no router between."""
        value, _ = self.owner([*http(), arp_reply("192.0.2.80", samples.CHILD_MAC)])
        self.assertEqual(value, "the web server's")

    def test_without_arp_the_ttl_of_the_reply_tells(self) -> None:
        """Routers lower it."""
        value, why = self.owner(http(ttl=47))
        self.assertEqual(value, "the router's")
        self.assertIn("17 router(s) lowered it from 64", why)

    def test_without_arp_a_ttl_that_nobody_lowered_tells_nothing(self) -> None:
        """A server on the link sends it, and so does a router that translates addresses."""
        for ttl in (64, 128, 255):
            value, why = self.owner(http(ttl=ttl))
            self.assertIsNone(value)
            self.assertIn("cannot tell", why)

    def test_without_either_it_cannot_be_told(self) -> None:
        """Nothing is guessed."""
        value, why = self.owner(http(reply=False))
        self.assertIsNone(value)
        self.assertIn("cannot tell", why)

    def test_a_loopback_interface_has_no_mac_addresses(self) -> None:
        """All zeros are nobody's."""
        packets = [(when, bytes(12) + data[12:]) for when, data in http()]
        self.assertIn("loopback", self.owner(packets)[1])


class TraceTests(SynchronousTestCase):
    """The four packets."""

    def test_the_answers(self) -> None:
        """Each packet with its data, ports and addresses."""
        found = values("trace", samples.four_packets())
        self.assertEqual(
            [found[f"packet{n}.data"] for n in (1, 2, 3, 4)],
            [samples.NAME.decode(), samples.NAME.decode(), samples.LINE.decode(), samples.LEARNED.decode()],
        )
        ports = [(found[f"packet{n}.source_port"], found[f"packet{n}.destination_port"]) for n in (1, 2, 3, 4)]
        self.assertEqual(ports, [("54699", "1199"), ("42460", "1200"), ("1200", "42460"), ("1199", "54699")])
        self.assertEqual((found["packet3.source"], found["packet3.destination"]), ("10.0.0.3", "10.0.0.2"))
        self.assertEqual(
            (found["packet3.source_mac"], found["packet3.destination_mac"]), (samples.PARENT_MAC, samples.CHILD_MAC)
        )

    def test_an_exchange_without_a_parent_is_passed_over(self) -> None:
        """A name that the child knew is no trace."""
        ask = samples.udp("10.0.0.1", 9, "10.0.0.2", 1199, b"x.example")
        tell = samples.udp("10.0.0.2", 1199, "10.0.0.1", 9, b"[]")
        known = [
            (1.0, samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, ask)),
            (1.1, samples.frame(samples.CHILD_MAC, samples.CLIENT_MAC, tell)),
        ]
        found = answers("trace", [*known, *samples.four_packets()])
        self.assertEqual({proof.frame for proof in found["packet1.data"].proofs}, {3})

    def test_raw_ip_has_no_mac_addresses(self) -> None:
        """As in what the lab writes itself."""
        raw = [(when, data[14:]) for when, data in samples.four_packets()]
        found = answers("trace", raw, link_type=101)
        self.assertEqual(found["packet1.source_port"].value, "54699")
        self.assertIn("begins with the IP header", found["packet1.source_mac"].missing or "")
