"""The datagrams of an exchange as packets: a capture that Wireshark opens, and each layer in a sentence.

The headers are those that the program's own traffic has in a capture (:mod:`labnet.capture.record.own_traffic`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from labnet.capture.files.writing import PcapngWriter
from labnet.capture.model import RAW, Packet
from labnet.capture.narrative.sentences import sentence
from labnet.capture.packet.applications import recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.record.own_traffic import INTERFACE, OwnTraffic, PacketWriter
from labnet.events import Datagram
from labnet.wire.quoting import quoted


def capture_of(datagrams: Iterable[Datagram], ahead: float) -> bytes:
    """A pcapng file with ``datagrams``, whose times are ``ahead`` seconds behind the time of day."""
    file = io.BytesIO()
    _write(datagrams, ahead, PcapngWriter(file, RAW, INTERFACE))
    return file.getvalue()


def layers_of(datagram: Datagram) -> tuple[str, list[dict[str, Any]]]:
    """The packet that carried ``datagram``, in hex, and its layers from the outermost; fields have places in it."""
    packets = _Packets()
    _write([datagram], 0.0, packets)
    if not packets.found:
        return "", []
    packet = packets.found[-1]
    frame = dissect(packet)
    if recognise(frame) is None:
        recognise(frame, answers=True)
    layers = [
        {
            "name": layer.title,
            "sentence": quoted(sentence(frame, layer)),
            "from": layer.offset,
            "to": layer.end,
            "fields": [
                {"name": field.title, "value": quoted(field.shown), "from": field.offset, "to": field.end}
                for field in layer.fields
            ],
        }
        for layer in frame.layers
    ]
    return packet.data.hex(), layers


class _Packets:
    def __init__(self) -> None:
        self.found: list[Packet] = []

    def write(self, time_ns: int, data: bytes, wire_length: int | None = None, comment: str | None = None) -> None:
        self.found.append(Packet(len(self.found) + 1, time_ns, len(data), data, RAW, comment=comment))

    def flush(self) -> None:
        """They are there."""


def _write(datagrams: Iterable[Datagram], ahead: float, writer: PacketWriter) -> None:
    now = 0
    traffic = OwnTraffic("", lambda: now, lambda says: None)
    traffic.write_to(writer)
    opened = set()
    for one in datagrams:
        if one.kind == "silence":
            continue
        now = round((one.time + ahead) * 1e9)
        ends = frozenset((one.source, one.destination))
        traffic.remark = "; ".join(filter(None, (one.note, one.fault and f"fault: {one.fault}")))
        if one.transport != "udp":
            if ends not in opened:
                opened.add(ends)
                traffic.opened(one.source, one.destination)
            framed = len(one.data).to_bytes(2, "big") + one.data
            traffic.sent(one.source, one.destination, framed, outward=True)
        else:
            traffic.datagram(one.source, one.destination, one.data, outward=True)
