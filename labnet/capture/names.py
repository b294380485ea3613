"""Numbers of the protocols with the names that people know them by (IANA's registries)."""

from __future__ import annotations

from typing import Final

ETHERTYPES: Final = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x6558: "Ethernet",
    0x8100: "VLAN tag",
    0x88A8: "VLAN service tag",
    0x9100: "VLAN service tag",
    0x8847: "MPLS",
    0x8848: "MPLS multicast",
    0x86DD: "IPv6",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE session",
    0x888E: "802.1X",
    0x88CC: "LLDP",
}
LINK_TYPES: Final = {
    105: "IEEE 802.11 (Wi-Fi)",
    127: "IEEE 802.11 (Wi-Fi) with radiotap",
    119: "IEEE 802.11 (Wi-Fi) with Prism headers",
    163: "IEEE 802.11 (Wi-Fi) with AVS headers",
    189: "USB",
    201: "Bluetooth",
    220: "USB",
    249: "USB",
}
"""Link types that are named and not read (the tcpdump group's LINKTYPE registry)."""

IP_PROTOCOLS: Final = {
    0: "IPv6 hop-by-hop options",
    1: "ICMP",
    2: "IGMP",
    4: "IPv4",
    6: "TCP",
    17: "UDP",
    41: "IPv6",
    43: "IPv6 routing header",
    44: "IPv6 fragment header",
    47: "GRE",
    50: "ESP",
    58: "ICMPv6",
    59: "no next header",
    60: "IPv6 destination options",
    89: "OSPF",
    132: "SCTP",
}
COOKED_KINDS: Final = {
    0: "sent to this machine",
    1: "broadcast",
    2: "multicast",
    3: "sent to another machine",
    4: "sent by this machine",
}
ARP_OPERATIONS: Final = {1: "request", 2: "reply"}
ICMP_TYPES: Final = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
}
ICMPV6_TYPES: Final = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
}
DNS_RCODES: Final = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
DHCP_MESSAGES: Final = {
    1: "Discover",
    2: "Offer",
    3: "Request",
    4: "Decline",
    5: "ACK",
    6: "NAK",
    7: "Release",
    8: "Inform",
}
_IP_FLAGS: Final = ((4, "reserved"), (2, "don't fragment"), (1, "more fragments"))
_TCP_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")


def tcp_flags(value: int) -> str:
    """The flags set in ``value``, as Wireshark's list has them."""
    return ", ".join(name for bit, name in enumerate(_TCP_FLAGS) if value >> bit & 1) or "none"


def both_orders(value: int) -> str:
    """A number of 16 bits as it is, and with its bytes swapped: Windows counts in its own byte order."""
    return f"{value} (little-endian {(value & 0xFF) << 8 | value >> 8})"


def ip_flags(value: int) -> str:
    """The IPv4 flags set in ``value``, their three bits as a number."""
    return ", ".join(name for bit, name in _IP_FLAGS if value & bit) or "none"


def fixed_text(value: bytes) -> str:
    """Text in a field of fixed length, up to its first NUL."""
    return value.split(b"\0", 1)[0].decode(errors="replace") or "not given"
