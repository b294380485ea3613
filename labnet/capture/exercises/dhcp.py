"""The exercise on DHCP: its transport, and what the Offer offers."""

from __future__ import annotations

from collections.abc import Iterator

from labnet.capture.exercises.model import Concepts, ExerciseAnswer, proof
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData

_PORTS = (67, 68)
MOST_OFFERS = 1000
"""Offers by which answers are marked."""
_NO_DHCP = (
    "The capture has no DHCP {what}: start capturing on the network card, then give the address back and ask anew: "
    "dhclient -r; dhclient (Windows: ipconfig /release, ipconfig /renew)"
)
_OFFER_ANSWERS = (
    ExerciseAnswer("server_identifier", "Which DHCP server offers (option 54)?", "address",
           explanation="Option 54 is the server that the client names when it takes the offer."),
    ExerciseAnswer("subnet_mask", "Which subnet mask does the Offer give (option 1)?", "address",
           explanation="Option 1 is the part of the address that the whole subnet shares."),
    ExerciseAnswer("router", "Which router does the Offer give (option 3)?", "addresses",
           explanation="Option 3 is where the client sends what leaves the subnet."),
    ExerciseAnswer("dns_servers", "Which DNS servers does the Offer give (option 6)?", "addresses",
           explanation="Option 6 lists the servers to ask for names, the preferred one first."),
)  # fmt: skip
_OFFER_FIELDS = (
    "dhcp.option.dhcp_server_id",
    "dhcp.option.subnet_mask",
    "dhcp.option.router",
    "dhcp.option.domain_name_server",
)
_TRANSPORT_ANSWERS = (
    ExerciseAnswer("transport", "Which transport protocol carries DHCP?", "protocol",
           explanation="The IP header's protocol field says 17, UDP."),
    ExerciseAnswer("client_port", "Which port does the client use?", "number",
           explanation="A DHCP client always uses port 68, so that the server can reach it before it has an address."),
    ExerciseAnswer("server_port", "Which port does the server use?", "number",
           explanation="A DHCP server always listens on port 67."),
    ExerciseAnswer("why_not_tcp", "Why not TCP?", "words",
           concepts=Concepts(("broadcasts?", "0\\.0\\.0\\.0", "255\\.255\\.255\\.255", "connectionless"),
                             ("(?:has|have|had|with|knows?|got|without|no|an?|its|own|yet|ip) (?:ip )?address",
                              "handshake", "connections?"),
                             ("faster", "speed", "encrypt\\w*", "more reliable", "tcp is connectionless",
                              "udp (?:needs|requires|has) a (?:connection|handshake)")),
           explanation="TCP needs a connection between two known addresses: the client has none yet (it sends from "
           "0.0.0.0) and does not know the server, so it must broadcast, which only UDP can."),
)  # fmt: skip


class DHCP:
    """Answers from the first message of a client, and from the first Offer."""

    title = "DHCP: how it travels, and what the Offer offers"

    def __init__(self) -> None:
        self.frames: dict[int, Dissected] = {}
        self._first: Dissected | None = None
        self._client: Dissected | None = None
        """The first message of a client that has no address yet."""
        self._offers: list[Dissected] = []

    def wants(self, frame: Dissected) -> bool:
        ports = frame.ports
        return ports is not None and (ports[0] in _PORTS or ports[1] in _PORTS)

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        if message is None or message.protocol != "DHCP":
            return False
        if frame.ports == (68, 67):
            self._first = self._first or frame
            if self._client is None and _has_no_address(frame):
                self._client = frame
        if message.layer.number("dhcp.option.dhcp") == 2 and len(self._offers) < MOST_OFFERS:
            self._offers.append(frame)
        return self._client is not None and bool(self._offers)

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        used = self._client or self._first, self._offers[0] if self._offers else None
        self.frames = {frame.packet.number: frame for frame in used if frame is not None}
        offers: list[Dissected | None] = [*self._offers] or [None]
        for offer in offers:
            yield [*self._transport(offer), *self._offered(offer)]

    def _transport(self, offer: Dissected | None) -> list[ExerciseAnswer]:
        frame = self._client or self._first or offer
        if frame is None:
            return [question.lacking(_NO_DHCP.format(what="message")) for question in _TRANSPORT_ANSWERS]
        transport, client, server, why = _TRANSPORT_ANSWERS
        protocol = "ip.proto" if frame.layer("ip") is not None else "ipv6.nxt"
        to_server = (frame.ports or (0, 0))[1] == 67
        return [
            transport.proved(frame, protocol, "udp.srcport", "udp.dstport", value="UDP"),
            client.proved(frame, "udp.srcport" if to_server else "udp.dstport"),
            server.proved(frame, "udp.dstport" if to_server else "udp.srcport"),
            self._why_not_tcp(why),
        ]

    def _why_not_tcp(self, why: ExerciseAnswer) -> ExerciseAnswer:
        """A client that has its address already, as one that releases it, shows nothing of this."""
        if self._client is None:
            return why.lacking(_NO_DHCP.format(what="message of a client without an address (Discover)"))
        return why.proved(self._client, "ip.src", "ip.dst", value="the client has no address yet and must broadcast")

    @staticmethod
    def _offered(frame: Dissected | None) -> list[ExerciseAnswer]:
        if frame is None:
            return [question.lacking(_NO_DHCP.format(what="Offer")) for question in _OFFER_ANSWERS]
        return [_option(question, frame, name) for question, name in zip(_OFFER_ANSWERS, _OFFER_FIELDS, strict=True)]


def _has_no_address(frame: Dissected) -> bool:
    return frame.source == "0.0.0.0" and frame.destination == "255.255.255.255"


def _option(question: ExerciseAnswer, frame: Dissected, name: str) -> ExerciseAnswer:
    fields = [one for one in frame.fields() if one.name == name]
    if not fields:
        if frame.packet.is_cut:
            return question.proved(frame, name)
        return question.lacking(f"The Offer in frame {frame.packet.number} has no such option: this server gives none.")
    proved = question.proved(frame, name, value=", ".join(one.shown for one in fields))
    return ExerciseAnswer(
        proved.key, proved.question, proved.kind, proved.value, proved.explanation,
        tuple(proof(frame, one) for one in fields),
    )  # fmt: skip
