"""Options: the kind, length, value triples behind a TCP header and a DHCP message."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from labnet.capture import names
from labnet.capture.model import Field, Layer, Value

_TCP: Final = {
    0: ("tcp.options.eol", "End of options"),
    1: ("tcp.options.nop", "No operation"),
    2: ("tcp.options.mss", "Maximum segment size"),
    3: ("tcp.options.wscale", "Window scale"),
    4: ("tcp.options.sack_perm", "SACK permitted"),
    5: ("tcp.options.sack", "SACK"),
    8: ("tcp.options.timestamp", "Timestamps"),
}
_TCP_VALUES: Final = {
    2: (("tcp.options.mss_val", "Maximum segment size", 2),),
    3: (("tcp.options.wscale.shift", "Shift count", 1),),
    8: (
        ("tcp.options.timestamp.tsval", "Timestamp value", 4),
        ("tcp.options.timestamp.tsecr", "Timestamp echo reply", 4),
    ),
}

MESSAGE_TYPE, SERVER_ID, MASK, ROUTER, DNS_SERVERS, REQUESTED = 53, 54, 1, 3, 6, 55
_DHCP: Final = {
    MASK: ("dhcp.option.subnet_mask", "Subnet mask"),
    ROUTER: ("dhcp.option.router", "Router"),
    DNS_SERVERS: ("dhcp.option.domain_name_server", "DNS server"),
    12: ("dhcp.option.hostname", "Host name"),
    15: ("dhcp.option.domain_name", "Domain name"),
    28: ("dhcp.option.broadcast_address", "Broadcast address"),
    50: ("dhcp.option.requested_ip_address", "Requested IP address"),
    51: ("dhcp.option.ip_address_lease_time", "Lease time in seconds"),
    MESSAGE_TYPE: ("dhcp.option.dhcp", "Message type"),
    SERVER_ID: ("dhcp.option.dhcp_server_id", "Server identifier"),
    REQUESTED: ("dhcp.option.request_list_item", "Requested option"),
    56: ("dhcp.option.message", "Message"),
    58: ("dhcp.option.renewal_time_value", "Renewal time in seconds"),
    59: ("dhcp.option.rebinding_time_value", "Rebinding time in seconds"),
    60: ("dhcp.option.vendor_class_id", "Vendor class"),
}
_ADDRESSES: Final = (MASK, ROUTER, DNS_SERVERS, 28, 50, SERVER_ID)
_SECONDS: Final = (51, 58, 59)
_TEXTS: Final = (12, 15, 56, 60)


def read_tcp_options(layer: Layer, data: bytes, first: int, end: int) -> None:
    """Add the options that lie from byte ``first`` to ``end`` of the frame ``data``."""
    for kind, start, stop in _triples(data, first, end, pad=1, last=None):
        name, title = _TCP.get(kind, ("tcp.options.unknown", f"Option {kind}"))
        layer.fields.append(Field(name, title, start, stop - start, data[start:stop], data[start:stop].hex(" ")))
        at = start + 2
        for value_name, value_title, length in _TCP_VALUES.get(kind, ()):
            if at + length > stop:
                break
            number = int.from_bytes(data[at : at + length], "big")
            layer.fields.append(Field(value_name, value_title, at, length, number, str(number)))
            at += length


def read_dhcp_options(layer: Layer, data: bytes, end: int) -> None:
    """Add the options that lie from ``layer``'s end to ``end`` of the frame ``data``, behind the magic cookie."""
    for kind, start, stop in _triples(data, layer.end, end, pad=0, last=255):
        whole = data[start:stop]
        name, title = _DHCP.get(kind, ("dhcp.option.value", "Value"))
        heading = "End" if kind == 255 else "Padding" if kind == 0 else title if title != "Value" else "Option"
        kind_name = {255: "dhcp.option.end", 0: "dhcp.option.padding"}.get(kind, "dhcp.option.type")
        layer.fields.append(Field(kind_name, f"Option {kind}: {heading}", start, stop - start, kind, whole.hex(" ")))
        for at, length in _parts(kind, start + 2, stop):
            value, shown = _dhcp_value(kind, data[at : at + length])
            layer.fields.append(Field(name, title, at, length, value, shown))


def _parts(kind: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where the values of a DHCP option are: each address of a list is one."""
    if kind in (0, 255) or stop <= start:
        return
    if kind in _ADDRESSES and (stop - start) % 4 == 0:
        yield from ((at, 4) for at in range(start, stop, 4))
    elif kind == REQUESTED:
        yield from ((at, 1) for at in range(start, stop))
    else:
        yield start, stop - start


def _dhcp_value(kind: int, value: bytes) -> tuple[Value, str]:
    if kind in _ADDRESSES and len(value) == 4:
        address = str(ipaddress.IPv4Address(value))
        return address, address
    if kind == REQUESTED and len(value) == 1:
        return value[0], f"{_DHCP[value[0]][1]} ({value[0]})" if value[0] in _DHCP else str(value[0])
    if kind == MESSAGE_TYPE and len(value) == 1:
        return value[0], f"{names.DHCP_MESSAGES.get(value[0], '?')} ({value[0]})"
    if kind in _SECONDS and len(value) == 4:
        number = int.from_bytes(value, "big")
        return number, str(number)
    if kind in _TEXTS:
        return value.decode(errors="replace"), value.decode(errors="replace")
    return value, value.hex(" ")


def _triples(data: bytes, start: int, end: int, pad: int, last: int | None) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each option; it stops at the first whose length cannot be."""
    end = min(end, len(data))
    while start < end:
        kind = data[start]
        if kind in (pad, last) or (kind == 0 and last is None):
            yield kind, start, start + 1
            start += 1
            if kind == last:
                return
            continue
        if start + 2 > end:
            return
        minimum = 2 if last is None else 0
        length = data[start + 1] + (0 if last is None else 2)
        if length < minimum or start + length > end:
            return
        yield kind, start, start + length
        start += length
