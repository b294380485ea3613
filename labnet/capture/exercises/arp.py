"""The exercise on ARP: the broadcast and its reply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labnet.capture.exercises.model import NO_LINK, ExerciseAnswer, ethertype_answer
from labnet.capture.model import Dissected
from labnet.capture.narrative.sentences import BROADCAST
from labnet.capture.packet.applications import ApplicationData

_NO_ARP = (
    "The capture has no ARP {what}: start capturing on the network card (not on `any`), empty the ARP cache "
    "(ip neigh flush all; Windows: arp -d *), and open a page or ping a neighbour."
)
MOST_REQUESTS = 1000
"""Broadcast requests that are remembered until a reply comes."""

QUESTIONS = (
    ExerciseAnswer("ethertype", "What is the EtherType of the broadcast?", "ethertype",
           explanation="The EtherType says what is inside the frame: 0x0806 is ARP itself; ARP is not carried by IP, "
           "so it is not 0x0800."),
    ExerciseAnswer("broadcast_mac", "To which MAC address is the broadcast sent?", "mac",
           explanation="All bits one: every network card on the link takes the frame."),
    ExerciseAnswer("asked_address", "Whose MAC address is asked for?", "address",
           explanation="The target IP address: who has it is to answer."),
    ExerciseAnswer("reply_ip", "What is the sender IP address of the reply?", "address",
           explanation="The sender of the reply is the machine that was asked for."),
    ExerciseAnswer("reply_mac", "What is the sender MAC address of the reply?", "mac",
           explanation="This is what the whole exchange was for: the MAC address that belongs to the IP address."),
)  # fmt: skip


class ARP:
    """Answers from the first broadcast request that got a reply, else from the first request and the first reply."""

    title = "ARP: the broadcast and the reply"

    def __init__(self) -> None:
        self.frames: dict[int, Dissected] = {}
        self._requests: list[Dissected] = []
        self._reply: Dissected | None = None
        self._pairs: list[tuple[Dissected, Dissected]] = []

    def wants(self, frame: Dissected) -> bool:
        return False

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        layer = frame.layer("arp")
        if layer is None or layer.cut:
            return False
        if layer.number("arp.opcode") == 1 and _is_broadcast(frame):
            if len(self._requests) < MOST_REQUESTS:
                self._requests.append(frame)
        elif layer.number("arp.opcode") == 2:
            self._reply = self._reply or frame
            for request in reversed(self._requests):
                asked, who = _address(request, "dst"), _address(request, "src")
                if (_address(frame, "src"), _address(frame, "dst")) == (asked, who):
                    if len(self._pairs) < MOST_REQUESTS:
                        self._pairs.append((request, frame))
                    return True
        return False

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        pairs: list[tuple[Dissected | None, Dissected | None]] = [*self._pairs]
        pairs = pairs or [(self._requests[0] if self._requests else None, self._reply)]
        self.frames = {frame.packet.number: frame for frame in pairs[0] if frame is not None}
        for request, reply in pairs:
            yield self._answers(request, reply)

    def _answers(self, request: Dissected | None, reply: Dissected | None) -> list[ExerciseAnswer]:
        ethertype, broadcast, asked, reply_ip, reply_mac = QUESTIONS
        return [*self._asked(request, ethertype, broadcast, asked), *self._replied(reply, reply_ip, reply_mac)]

    def _asked(
        self, frame: Dissected | None, ethertype: ExerciseAnswer, broadcast: ExerciseAnswer, asked: ExerciseAnswer
    ) -> list[ExerciseAnswer]:
        if frame is None:
            return [one.lacking(_NO_ARP.format(what="broadcast")) for one in (ethertype, broadcast, asked)]
        if frame.layers[0].name == "sll":
            kind = ethertype.proved(frame, "sll.etype")
            mac = broadcast.lacking(NO_LINK["sll"].format(which="destination"))
        else:
            kind, mac = ethertype_answer(ethertype, frame), broadcast.proved(frame, "eth.dst")
        others = {
            _address(one, "dst"): f"frame {one.packet.number} asks for that one"
            for one in self._requests
            if _address(one, "dst") != _address(frame, "dst")
        }
        return [kind, mac, replace(asked.proved(frame, "arp.dst.proto_ipv4"), also=others)]

    @staticmethod
    def _replied(frame: Dissected | None, reply_ip: ExerciseAnswer, reply_mac: ExerciseAnswer) -> list[ExerciseAnswer]:
        if frame is None:
            return [one.lacking(_NO_ARP.format(what="reply")) for one in (reply_ip, reply_mac)]
        return [reply_ip.proved(frame, "arp.src.proto_ipv4"), reply_mac.proved(frame, "arp.src.hw_mac")]


def _is_broadcast(frame: Dissected) -> bool:
    outer = frame.layers[0]
    return outer.text("eth.dst") == BROADCAST or outer.number("sll.pkttype") == 1


def _address(frame: Dissected, which: str) -> str:
    layer = frame.layer("arp")
    return (layer.text(f"arp.{which}.proto_ipv4") if layer is not None else None) or "?"
