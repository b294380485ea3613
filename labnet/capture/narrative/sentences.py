"""One sentence for each layer of a packet."""

from __future__ import annotations

import time

from labnet.capture import names
from labnet.capture.model import Dissected, Layer

BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = "00:00:00:00:00:00"


def utc_text(nanoseconds: int) -> str:
    """An epoch time as a date, within what a calendar has: a damaged capture's times can lie anywhere."""
    seconds = max(0, min(nanoseconds // 1_000_000_000, 253_402_300_799))
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{nanoseconds % 1_000_000_000:09d} UTC"


def sentence(frame: Dissected, layer: Layer) -> str:
    """What ``layer`` of ``frame`` says, for a reader who has just met it."""
    if layer.cut:
        return f"The header is not whole: {len(layer.fields)} field(s) of it can be read."
    tell = _TELL.get(layer.name)
    says = tell(frame, layer) if tell is not None else f"{layer.length} bytes."
    return says


def _eth(frame: Dissected, layer: Layer) -> str:
    source, destination = layer.text("eth.src"), layer.text("eth.dst") or ""
    if source == destination == NOBODY:
        return "A loopback interface: there is no network card, so both MAC addresses are zero."
    to = "everybody on this link (the broadcast address)" if destination == BROADCAST else destination
    if layer.get("eth.len") is not None:
        return f"From network card {source} to {to}; an old-style frame with a length and no EtherType."
    ethertype = layer.number("eth.type") or 0
    inside = names.ETHERTYPES.get(ethertype, "something else")
    return f"From network card {source} to {to}; the EtherType 0x{ethertype:04x} says that {inside} is inside."


def _vlan(_: Dissected, layer: Layer) -> str:
    ethertype = layer.number("vlan.etype") or 0
    inside = names.ETHERTYPES.get(ethertype, "something else")
    return f"It belongs to VLAN {layer.number('vlan.id')}; its own type 0x{ethertype:04x} says that {inside} is inside."


def _sll(_: Dissected, layer: Layer) -> str:
    source = layer.text("sll.src.eth") or layer.text("sll.src.other")
    sender = f"the sender's link address is {source}" if source else "the sender has no link address"
    kind = names.COOKED_KINDS.get(layer.number("sll.pkttype") or 0, "of an unknown kind")
    ethertype = layer.number("sll.etype") or 0
    inside = names.ETHERTYPES.get(ethertype, "something else")
    index = layer.number("sll.ifindex")
    where = f" on interface number {index}" if index is not None else ""
    return (
        f"The packet was {kind}{where}; {sender}, the destination's was not captured (interface `any`); "
        f"0x{ethertype:04x} says that {inside} is inside."
    )


def _null(_: Dissected, layer: Layer) -> str:
    field = layer.get("null.family")
    return f"A loopback interface: no MAC addresses, only the family: {field.shown if field else '?'}."


def _arp(_: Dissected, layer: Layer) -> str:
    sender, target = layer.text("arp.src.proto_ipv4"), layer.text("arp.dst.proto_ipv4")
    mac = layer.text("arp.src.hw_mac")
    if layer.number("arp.opcode") == 1:
        return f"{sender} (MAC {mac}) asks: who has {target}?"
    return f"{sender} answers {target}: my MAC address is {mac}."


def _ip(frame: Dissected, layer: Layer) -> str:
    protocol = layer.number("ip.proto") or 0
    name = names.IP_PROTOCOLS.get(protocol, "another protocol")
    header, total = layer.number("ip.hdr_len") or 0, layer.number("ip.len") or 0
    lengths = f"{header} bytes of header and {total - header} of payload" if total else f"{header} bytes of header"
    hops = f"TTL {layer.number('ip.ttl')}"
    if frame.packet.is_own:
        hops = "its TTL is not known, for labnet saw only the data"
    way = f"From {layer.text('ip.src')} to {layer.text('ip.dst')}"
    return f"{way}; {lengths}; protocol {protocol}, {name}, is inside; {hops}."


def _ipv6(_: Dissected, layer: Layer) -> str:
    following = layer.number("ipv6.nxt") or 0
    way = f"From {layer.text('ipv6.src')} to {layer.text('ipv6.dst')}; {layer.number('ipv6.plen')} bytes of payload"
    name = names.IP_PROTOCOLS.get(following, "another protocol")
    return f"{way}; next header {following}, {name}; hop limit {layer.number('ipv6.hlim')}."


def _udp(_: Dissected, layer: Layer) -> str:
    length = (layer.number("udp.length") or 8) - 8
    return (
        f"From port {layer.number('udp.srcport')} to port {layer.number('udp.dstport')}; {length} bytes of data, "
        f"without a connection."
    )


def _tcp(_: Dissected, layer: Layer) -> str:
    flags = names.tcp_flags(layer.number("tcp.flags") or 0)
    return (
        f"From port {layer.number('tcp.srcport')} to port {layer.number('tcp.dstport')}; flags {flags}; "
        f"sequence number {layer.number('tcp.seq_raw')}, acknowledgement {layer.number('tcp.ack_raw')}."
    )


def _icmp(_: Dissected, layer: Layer) -> str:
    kind = names.ICMP_TYPES.get(layer.number("icmp.type") or 0, f"type {layer.number('icmp.type')}")
    sequence = layer.number("icmp.seq")
    if sequence is None:
        return f"ICMP {kind}."
    return f"ICMP {kind}, number {names.both_orders(sequence)} of its series."


def _icmpv6(_: Dissected, layer: Layer) -> str:
    kind = layer.number("icmpv6.type") or 0
    return f"ICMPv6 {names.ICMPV6_TYPES.get(kind, f'type {kind}')}."


def _course(_: Dissected, layer: Layer) -> str:
    name, address = layer.text("labnet.course.name"), layer.text("labnet.course.address")
    dialect, target = layer.text("labnet.course.dialect"), layer.text("labnet.course.target")
    if target is not None:
        return f"The answer: ask the server at {target}, which knows more (dialect {dialect})."
    if dialect is not None and address is None and name is not None:
        return f"Somebody asks for the address of {name} (dialect {dialect})."
    if address is None and name is not None:
        return f"Somebody asks for the address of {name}: {layer.length} bytes, the bare name and nothing else."
    if address is None:
        return "The answer: the name is not known."
    ttl = layer.text("labnet.course.ttl")
    learned, since = layer.text("labnet.course.learned"), layer.text("labnet.course.since")
    where = ""
    if learned is not None and since is not None:
        when = utc_text(int(float(since) * 1e9))
        where = (
            f"; the server learned it at {when}" if learned == "1" else f"; it is the author's own, loaded at {when}"
        )
    return f"The answer: {name or 'the name asked'} is at {address}{f', for {ttl} seconds' if ttl else ''}{where}."


def _dns(_: Dissected, layer: Layer) -> str:
    name, response = layer.text("dns.qry.name") or "?", layer.number("dns.flags.response")
    ident = layer.number("dns.id") or 0
    if not response:
        return f"Query 0x{ident:04x} asks for {name}."
    code = names.DNS_RCODES.get(layer.number("dns.flags.rcode") or 0, "another code")
    return f"Answer to query 0x{ident:04x} for {name}: {code}, {layer.number('dns.count.answers')} record(s)."


def _dhcp(_: Dissected, layer: Layer) -> str:
    kind = names.DHCP_MESSAGES.get(layer.number("dhcp.option.dhcp") or 0, "BOOTP message")
    yours = layer.text("dhcp.ip.your")
    offered = f" with the address {yours}" if yours not in (None, "0.0.0.0") else ""
    return f"A DHCP {kind}{offered}, of the conversation 0x{layer.number('dhcp.id') or 0:08x}."


def _http(_: Dissected, layer: Layer) -> str:
    method = layer.text("http.request.method")
    if method is not None:
        return f"The client asks: {method} {layer.text('http.request.uri')}."
    phrase = layer.text("http.response.phrase")
    return f"The server answers {layer.text('http.response.code')}{f' {phrase}' if phrase else ''}."


def _tls(_: Dissected, layer: Layer) -> str:
    kinds = [field.shown for field in layer.fields if field.name in ("tls.handshake.type", "tls.record.content_type")]
    name = layer.text("tls.handshake.extensions_server_name")
    return f"TLS: {', '.join(dict.fromkeys(kinds))}{f', for the server {name}' if name else ''}."


def _command(_: Dissected, layer: Layer) -> str:
    command = layer.text("command.command")
    if command is not None:
        return f"The client sends the command {command}."
    greeting, reply = layer.text("command.greeting"), layer.text("command.reply")
    return f"The server greets: {greeting}" if greeting is not None else f"The server replies: {reply}"


_TELL = {
    "eth": _eth,
    "vlan": _vlan,
    "sll": _sll,
    "null": _null,
    "arp": _arp,
    "ip": _ip,
    "ipv6": _ipv6,
    "udp": _udp,
    "tcp": _tcp,
    "icmp": _icmp,
    "icmpv6": _icmpv6,
    "course": _course,
    "dns": _dns,
    "dhcp": _dhcp,
    "http": _http,
    "tls": _tls,
    "command": _command,
}
