"""tshark's dissection of a capture, and how ours compares with it field by field."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labnet.capture.files.formats import open_capture
from labnet.capture.model import Dissected, Field
from labnet.capture.narrative.explain import Understanding
from tests.interop import peers

DISSECTOR = Path(__file__).resolve().parents[2] / "etc/wireshark/labnet.lua"

OURS_ALONE = frozenset(
    {
        "dns.opt",
        "dns.rdata",  # Wireshark names the data of each type of record on its own
        "ip.options",
        "tcp.options.unknown",
        "ipv6.opt.nxt",  # there it has the name of the extension header
        "ipv6.opt.len",
        "sll.reserved",
        "dhcp.option.end",
    }
)
"""Fields that Wireshark has under other names or not as one."""

NOT_IN_A_QUERY = frozenset(
    {"dns.flags.authoritative", "dns.flags.recavail", "dns.flags.authenticated", "dns.flags.rcode"}
)
"""Bits that Wireshark shows of a response alone, for they say nothing in a query."""


@dataclass(frozen=True)
class Seen:
    """One field as tshark has it: its place in the frame, its bytes or bits, and what it shows."""

    name: str
    offset: int
    length: int
    value: str
    shown: str
    hidden: bool
    """Whether Wireshark has it for filters alone, beside another name for the same bytes."""


def with_labnet() -> list[str]:
    """tshark with labnet's dissector of the course protocol."""
    return [peers.tool("tshark", "tshark"), "-X", f"lua_script:{DISSECTOR}"]


def pdml(path: Path) -> list[list[Seen]]:
    """Every field of every frame, tshark's reassembly left out."""
    command = [
        *with_labnet(), "-2", "-r", str(path), "-T", "pdml", "-n",
        "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return [[*_fields(packet)] for packet in ElementTree.fromstring(done.stdout).iter("packet")]


def _fields(packet: ElementTree.Element) -> Iterator[Seen]:
    for one in packet.iter("field"):
        value = one.get("value", "")
        yield Seen(
            one.get("name", ""),
            int(one.get("pos", 0)),
            int(one.get("size", 0)),
            value,
            one.get("show", ""),
            one.get("hide") == "yes",
        )


def dissected(path: Path) -> list[Dissected]:
    """Every frame as labnet dissects it."""
    understanding = Understanding()
    with open_capture(str(path)) as capture:
        return [understanding.take(packet)[0] for packet in capture]


def _all_fields(frame: Dissected) -> list[Field]:
    """The fields of the packet, and of the one that an ICMP error quotes."""
    return [*frame.fields(), *(frame.quoted.fields() if frame.quoted is not None else ())]


def differences(path: Path) -> tuple[int, list[str]]:
    """How many fields were compared, and a line for each that one of the two has not, or has elsewhere or otherwise."""
    ours, theirs = dissected(path), pdml(path)
    problems = [] if len(ours) == len(theirs) else [f"{len(ours)} frames, tshark has {len(theirs)}"]
    count = 0
    spoken = {field.name for frame in ours for field in _all_fields(frame)}
    for frame, seen in zip(ours, theirs, strict=False):
        where = f"{path.name} frame {frame.packet.number}"
        compared = [field for field in _all_fields(frame) if _is_compared(frame, field)]
        inside = [field for field in frame.fields() if field.name == "dhcp.option.value"]
        for field in compared:
            count += 1
            named = [one for one in seen if one.name == field.name]
            if not any(_same(frame, field, one) for one in named):
                problems.append(f"{where}: {field}: tshark has {named}")
        for one in seen:
            must = one.length and not one.hidden and one.name in spoken and not _is_end(one)
            must = must and not any(field.offset <= one.offset < field.end for field in inside)
            if must and not any(_same(frame, field, one) for field in _all_fields(frame)):
                problems.append(f"{where}: tshark alone has {one}")
    return count, problems


def _is_end(theirs: Seen) -> bool:
    """The last DHCP option, which we name after what it is."""
    return (theirs.name, theirs.value) == ("dhcp.option.type", "ff")


def _is_compared(frame: Dissected, field: Field) -> bool:
    response = frame.field("dns.flags.response")
    if response is not None and not response.value and field.name in NOT_IN_A_QUERY:
        return False
    return field.name not in OURS_ALONE and not field.name.startswith("command.")


def _same(frame: Dissected, ours: Field, theirs: Seen) -> bool:
    if ours.name != theirs.name:
        return False
    if ours.bits is not None:
        # Wireshark gives the place of the word that the bits are in.
        inside = theirs.offset <= ours.offset and ours.end <= theirs.offset + theirs.length
        # PDML has a fragment's offset as the header has it, in units of eight bytes; Wireshark's window shows bytes.
        unit = 8 if ours.name in ("ip.frag_offset", "ipv6.fraghdr.offset") else 1
        return inside and ours.value in {unit * number for number in _numbers(theirs)}
    if (ours.offset, ours.length) != (theirs.offset, theirs.length):
        return False
    if theirs.value and frame.packet.data[ours.offset : ours.end].hex() != theirs.value:
        return False
    if isinstance(ours.value, int):
        return ours.value in _numbers(theirs)
    if ours.name == "labnet.course.since":
        return True  # shown as a date there
    if isinstance(ours.value, str):
        return ours.value == theirs.shown.rstrip() or (ours.value, theirs.shown) == (".", "<Root>")
    return True


def _numbers(theirs: Seen) -> set[int]:
    """What the field is as a number: as it is shown, and as its bits are."""
    found = {int(theirs.value, 16)} if theirs.value else set()
    if theirs.shown in ("True", "False"):
        found.add(int(theirs.shown == "True"))
    try:
        return found | {int(theirs.shown, 0)}
    except ValueError:
        return found
