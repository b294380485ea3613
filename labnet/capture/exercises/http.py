"""The exercise on HTTP at the link layer: whose MAC addresses an HTTP request has."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from labnet.capture.exercises.model import Concepts, ExerciseAnswer, ethertype_answer, link_answer, proof
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData

_NO_HTTP = (
    "The capture has no HTTP request in the clear: start capturing and run: curl http://example.com/ "
    "(https is encrypted, so its requests cannot be seen)"
)
_FIRST_TTLS = (32, 64, 128, 255)
MOST_NEIGHBOURS = 4096

QUESTIONS = (
    ExerciseAnswer("source_mac", "What is the source MAC address of the request?", "mac",
           explanation="The network card of the machine that asks."),
    ExerciseAnswer("destination_mac", "What is the destination MAC address of the request?", "mac",
           explanation="The network card that takes the frame on this link, the next hop."),
    ExerciseAnswer("destination_mac_owner", "Whose is the destination MAC address?", "words"),
    ExerciseAnswer("ethertype", "What is the EtherType of the request?", "ethertype",
           explanation="0x0800 is IPv4. The EtherType names only what is directly inside the frame; that TCP is inside "
           "the IP packet is said by the IP header's protocol field (6), not here."),
)  # fmt: skip
_ROUTER_WORDS = ("routers?(?:'s)?", "gateways?(?:'s)?", "first hop", "next hop", "access point", "modem")
_SERVER_WORDS = ("(?:web)?servers?(?:'s)?", "website", "web ?site(?:'s)?", "destination host")
_ROUTER = Concepts(_ROUTER_WORDS, never=(*_SERVER_WORDS, "clients?(?:'s)?", "my (?:own )?(?:computer|pc|laptop)"))
_SERVER = Concepts(_SERVER_WORDS, never=_ROUTER_WORDS)


class HTTP:
    """Answers from the first HTTP request; ARP and the replies around it tell whose the MAC address is."""

    title = "HTTP at the link layer: the request's frame"

    def __init__(self) -> None:
        self.frames: dict[int, Dissected] = {}
        self._request: Dissected | None = None
        self._reply: Dissected | None = None
        self._neighbours: dict[str, Dissected] = {}

    def wants(self, frame: Dissected) -> bool:
        return self._request is None and frame.transport is not None and frame.transport.name == "tcp"

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        arp = frame.layer("arp")
        if arp is not None and arp.number("arp.opcode") == 2 and len(self._neighbours) < MOST_NEIGHBOURS:
            self._neighbours.setdefault(arp.text("arp.src.proto_ipv4") or "?", frame)
        if self._request is None:
            if message is not None and message.protocol == "HTTP" and message.kind == "question":
                self._request = frame
        elif self._reply is None and frame.source == self._request.destination:
            self._reply = frame
        return False  # an ARP reply that tells whose the address is may come as late as it likes

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        frame = self._request
        if frame is None:
            yield [question.lacking(_NO_HTTP) for question in QUESTIONS]
        else:
            yield self._answers(frame)

    def _answers(self, frame: Dissected) -> list[ExerciseAnswer]:
        self.frames[frame.packet.number] = frame
        source, destination, owner, ethertype = QUESTIONS
        kind = ethertype_answer(ethertype, frame)
        if frame.layer("ipv6") is not None:
            kind = replace(kind, explanation=kind.explanation.replace("0x0800 is IPv4", "0x86DD is IPv6"))
        return [
            link_answer(source, frame, "src", source.explanation),
            link_answer(destination, frame, "dst", destination.explanation),
            self._owner(frame, owner),
            kind,
        ]

    def _owner(self, frame: Dissected, question: ExerciseAnswer) -> ExerciseAnswer:
        mac = frame.layers[0].text("eth.dst")
        if mac is None:
            return link_answer(question, frame, "dst", "")
        if not int(mac.replace(":", ""), 16):
            return question.lacking(
                "A loopback interface has no MAC addresses, all are zero: capture on a network card."
            )
        for address, reply in self._neighbours.items():
            if reply.layer("arp") is not None and _mac_of(reply) == mac:
                self.frames[reply.packet.number] = reply
                return self._by_arp(frame, question, address, reply)
        return self._by_ttl(frame, question)

    @staticmethod
    def _by_arp(frame: Dissected, question: ExerciseAnswer, address: str, reply: Dissected) -> ExerciseAnswer:
        is_server = address == frame.destination
        owner, concepts = ("the web server's", _SERVER) if is_server else ("the router's", _ROUTER)
        says = (
            f"ARP in frame {reply.packet.number} says that it belongs to {address}"
            + (", the web server itself: it is on the same link." if is_server else
               f", which is not the web server {frame.destination}: a MAC address reaches only to the end of the link, "
               f"and the frame goes to the router first.")
        )  # fmt: skip
        proved = replace(question, concepts=concepts).proved(frame, "eth.dst", value=owner, explanation=says)
        field = reply.field("arp.src.hw_mac")
        return replace(proved, proofs=(*proved.proofs, *([proof(reply, field)] if field is not None else [])))

    def _by_ttl(self, frame: Dissected, question: ExerciseAnswer) -> ExerciseAnswer:
        field = self._reply.field("ip.ttl") or self._reply.field("ipv6.hlim") if self._reply is not None else None
        if _crosses(frame):
            return self._by_addresses(frame, question)
        if self._reply is None or field is None:
            return question.lacking(
                "The capture has neither the ARP exchange nor a reply of the server, so it cannot tell: empty the ARP "
                "cache (ip neigh flush all) and capture again."
            )
        self.frames[self._reply.packet.number] = self._reply
        ttl = field.value if isinstance(field.value, int) else 0
        first = next((one for one in _FIRST_TTLS if ttl <= one), 255)
        if ttl == first:
            return question.lacking(
                f"The capture cannot tell: it has no ARP exchange, and the replies' TTL of {ttl} is what a server on "
                f"this link sends, and also a router that translates addresses (NAT). Empty the ARP cache (ip neigh "
                f"flush all) and capture again."
            )
        says = (
            f"Not the web server's: its replies arrive with TTL {ttl}, so {first - ttl} router(s) lowered it from "
            f"{first}; the server is not on this link. The frame goes to the router, whose address ARP had told."
        )
        proved = replace(question, concepts=_ROUTER).proved(frame, "eth.dst", value="the router's", explanation=says)
        return replace(proved, proofs=(*proved.proofs, proof(self._reply, field)))

    @staticmethod
    def _by_addresses(frame: Dissected, question: ExerciseAnswer) -> ExerciseAnswer:
        """A private and a public address are never on one link (RFC 1918)."""
        network = frame.network
        name = network.name if network is not None else "ip"
        says = (
            f"Not the web server's: {frame.source} is a private address and {frame.destination} a public one: they are "
            f"never on one link. The frame goes to the router."
        )
        words = replace(question, concepts=_ROUTER)
        return words.proved(frame, "eth.dst", f"{name}.src", f"{name}.dst", value="the router's", explanation=says)


def _crosses(frame: Dissected) -> bool:
    """Whether the request goes from a private address to a public one."""
    source, destination = ipaddress.ip_address(frame.source), ipaddress.ip_address(frame.destination)
    return source.is_private and destination.is_global


def _mac_of(reply: Dissected) -> str | None:
    layer = reply.layer("arp")
    return layer.text("arp.src.hw_mac") if layer is not None else None
