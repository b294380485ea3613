"""What misleads in a capture: bytes that are not what they look like, and how to tell.

A network card computes checksums and cuts large segments for the system, so the copy that a capture takes before the
card has neither. Linux leaves the sum of the pseudo-header alone in the field then (CHECKSUM_PARTIAL), which tells it
from a packet that is damaged.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from labnet.capture.model import COOKED_V1, COOKED_V2, Dissected, Layer, Note

SHORTEST_FRAME: Final = 60
"""Bytes of an Ethernet frame without its check sequence (IEEE 802.3, section 3.2.8)."""
LARGEST_FRAME: Final = 1518
"""Bytes of an Ethernet frame with its check sequence, which a capture may hold; a VLAN tag takes 4 more."""
_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}


def notes(frame: Dissected) -> list[Note]:
    """Everything in ``frame`` that would mislead a reader of its bytes."""
    found = [*_capture_notes(frame), *_header_notes(frame)]
    for check in (_ip_checksum, _transport_checksum, _padding, _large_segment):
        note = check(frame)
        if note is not None:
            found.append(note)
    return found


def ones_sum(data: bytes) -> int:
    """The Internet checksum's sum (RFC 1071), not complemented."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big") % 0xFFFF
    # Modulo 0xFFFF the sum of the words is the number itself; only nothing but zeros sums up to 0.
    return total if total or not any(data) else 0xFFFF


def pseudo_header(frame: Dissected, protocol: int, length: int) -> bytes | None:
    """RFC 768 and RFC 8200, section 8.1; None without whole addresses, and for a length that IPv4's has no room for.

    With a routing header the last address on the way counts, with a home address that one (RFC 6275).
    """
    try:
        source, destination = ipaddress.ip_address(frame.source), ipaddress.ip_address(frame.destination)
    except ValueError:
        return None
    if source.version == 6:
        source, destination = _home_address(frame) or source, _last_address(frame) or destination
    if source.version == 4:
        if length > 0xFFFF:
            return None
        return source.packed + destination.packed + bytes([0, protocol]) + length.to_bytes(2, "big")
    return source.packed + destination.packed + length.to_bytes(4, "big") + bytes([0, 0, 0, protocol])


def _last_address(frame: Dissected) -> ipaddress.IPv6Address | None:
    """Where a packet with a routing header is to end, while it is on its way."""
    layer = frame.layer("ipv6.routing")
    if layer is None or layer.cut or not layer.number("ipv6.routing.segleft"):
        return None
    # Types 0 and 2 end with the last address (RFC 2460, RFC 6275); a segment routing header begins with it (RFC 8754).
    at = layer.offset + 8 if layer.number("ipv6.routing.type") == 4 else layer.end - 16
    address = frame.packet.data[at : at + 16]
    return ipaddress.IPv6Address(address) if layer.length >= 24 and len(address) == 16 else None


def _home_address(frame: Dissected) -> ipaddress.IPv6Address | None:
    """The sender's home address in a destination option (RFC 6275, section 6.3), which stands for its source."""
    for layer in frame.layers:
        at, end = layer.offset + 2, layer.end
        while layer.name == "ipv6.options" and not layer.cut and at + 2 <= end:
            kind, length = frame.packet.data[at], frame.packet.data[at + 1]
            if kind == 0xC9 and length == 16 and at + 18 <= end:
                return ipaddress.IPv6Address(frame.packet.data[at + 2 : at + 18])
            at += 1 if kind == 0 else 2 + length
    return None


def _capture_notes(frame: Dissected) -> list[Note]:
    packet, found = frame.packet, []
    if packet.is_own:
        found.append(Note("reconstructed", packet.comment or ""))
    if packet.is_cut:
        missing = packet.wire_length - len(packet.data)
        found.append(
            Note("snap", f"The snap length cut this frame: {missing} of its {packet.wire_length} bytes are not here.")
        )
    if packet.link_type in (COOKED_V1, COOKED_V2):
        version = 1 if packet.link_type == COOKED_V1 else 2
        found.append(
            Note(
                "cooked",
                f"Taken on Linux's interface `any`: a cooked header (v{version}) stands in place of Ethernet's, "
                f"and the destination MAC address is nowhere in it.",
            )
        )
    return found


def _header_notes(frame: Dissected) -> list[Note]:
    found = []
    for layer in frame.layers:
        if layer.cut:
            why = "the capture ends inside it" if frame.packet.is_cut else "its bytes end too soon or its lengths lie"
            found.append(
                Note("malformed", f"The {layer.title} header is not whole: {why}.", layer.offset, layer.length)
            )
        if layer.name == "vlan":  # each tag moves what is behind it
            found.append(
                Note(
                    "vlan",
                    f"A VLAN tag (VLAN {layer.number('vlan.id')}) stands between the MAC addresses and the EtherType: "
                    f"everything behind it is 4 bytes further on.",
                    layer.offset,
                    layer.length,
                )
            )
    if frame.fragment is not None:
        found.append(_fragment_note(frame))
    return found


def _fragment_note(frame: Dissected) -> Note:
    assert frame.fragment is not None
    offset, more, identification = frame.fragment
    which = "the first" if not offset else "one in the middle" if more else "the last"
    says = f"An IP fragment, {which} of datagram 0x{identification:04x}, its data from byte {offset} on"
    if offset:
        says += "; it begins with no UDP or TCP header, so it has no ports"
    if frame.joined is not None:
        says += f"; with frames {', '.join(map(str, frame.joined.frames))} the datagram is whole"
    return Note("fragment", says + ".")


def _ip_checksum(frame: Dissected) -> Note | None:
    layer = frame.network
    if layer is None or layer.name != "ip" or layer.cut:
        return None
    field = layer.get("ip.checksum")
    if field is None or ones_sum(frame.packet.data[layer.offset : layer.end]) == 0xFFFF:
        return None
    if field.value == 0:
        text = (
            "The IP header checksum is 0: the network card fills it in after the capture (offload), nothing is damaged."
        )
        return Note("offload", text, field.offset, field.length)
    return Note(
        "checksum", "The IP header checksum is wrong: the header was damaged or forged.", field.offset, field.length
    )


def _transport_checksum(frame: Dissected) -> Note | None:
    layer = frame.layer(*_PROTOCOLS)
    field = layer.get(f"{layer.name}.checksum") if layer is not None else None
    if layer is None or field is None or not isinstance(field.value, int) or not _is_whole(frame, layer):
        return None
    data = frame.packet.data[layer.offset : _end_of_datagram(frame, layer)]
    if layer.name == "icmp":
        head: bytes | None = b""
    else:
        head = pseudo_header(frame, _PROTOCOLS[layer.name], len(data))
    if head is None or (layer.name == "udp" and field.value == 0 and len(head) == 12):
        return None  # RFC 768: no checksum was made
    if ones_sum(head + data) == 0xFFFF:
        return None
    if head and field.value == ones_sum(head):
        text = (
            f"The {layer.name.upper()} checksum is that of the pseudo-header alone: the system left the rest to the "
            f"network card (offload) and the capture took the packet before it. Nothing is damaged."
        )
        return Note("offload", text, field.offset, field.length)
    right = ones_sum(head + data[: field.offset - layer.offset] + b"\0\0" + data[field.end - layer.offset :]) ^ 0xFFFF
    text = (
        f"The {layer.name.upper()} checksum 0x{field.value:04x} is wrong, 0x{right:04x} would be right, and offload "
        f"does not explain it: the packet was damaged or forged."
    )
    return Note("checksum", text, field.offset, field.length)


def _is_whole(frame: Dissected, layer: Layer) -> bool:
    """Whether all bytes that the checksum covers are here."""
    network = frame.network
    if layer.cut or network is None or frame.fragment is not None:
        return False
    return _claimed_end(network) <= len(frame.packet.data)


def _claimed_end(network: Layer) -> int:
    if network.name == "ip":
        return network.offset + (network.number("ip.len") or 0)
    return network.end + (network.number("ipv6.plen") or 0)


def _end_of_datagram(frame: Dissected, layer: Layer) -> int:
    return frame.payload[1] if layer.name in ("tcp", "udp") else max(frame.payload[1], layer.end)


def _padding(frame: Dissected) -> Note | None:
    """Bytes behind the end of what the layers above the link claim."""
    outer = frame.layers[0] if frame.layers else None
    if outer is None or outer.name not in ("eth", "sll") or frame.packet.is_cut or len(frame.layers) < 2:
        return None
    end, network, total = frame.payload[1], frame.layer("ip", "ipv6"), len(frame.packet.data)
    if network is not None:
        end = _claimed_end(network) if _claimed_end(network) > network.end else total
    on_loopback = outer.name == "sll" or not any(frame.packet.data[:12])
    if total < SHORTEST_FRAME and not on_loopback and (network is not None or frame.layer("arp") is not None):
        text = (
            f"{total} bytes are fewer than Ethernet's {SHORTEST_FRAME}: no card had filled the frame up where it was "
            f"taken. So it is on the machine that sends, and also where a frame comes over a virtual link, or where a "
            f"card takes the padding off."
        )
        return Note("short", text)
    extra = total - end
    if extra <= 0:
        return None
    if total <= SHORTEST_FRAME + 4 and outer.name == "eth":
        text = (
            f"The last {extra} bytes are Ethernet padding, which fills the frame up to {SHORTEST_FRAME} bytes; "
            f"Wireshark may call them a trailer. They are no data, whatever they hold."
        )
        return Note("padding", text, end, extra)
    text = f"{extra} bytes follow behind the end of the IP packet: a trailer, such as a frame check sequence, no data."
    return Note("trailer", text, end, extra)


def _large_segment(frame: Dissected) -> Note | None:
    network = frame.network
    if network is None or frame.packet.link_type in (0, 108) or frame.packet.is_own:
        return None
    loop = frame.source == frame.destination or frame.source.startswith("127.")
    largest = LARGEST_FRAME + 4 * sum(layer.name == "vlan" for layer in frame.layers)
    if network.name == "ip" and network.number("ip.len") == 0 and not network.cut:
        field = network.get("ip.len")
        assert field is not None
        text = (
            "The total length is 0: the network card cuts this large segment and fills it in (segmentation offload). "
            "What the capture holds counts as its length."
        )
        return Note("offload", text, field.offset, field.length)
    if frame.layer("tcp") is not None and frame.packet.wire_length > largest and not loop:
        text = (
            f"{frame.packet.wire_length} bytes are more than Ethernet carries: the capture saw one large segment, "
            f"which the network card cuts before it sends, or joined after it received (segmentation offload)."
        )
        return Note("large", text)
    return None
