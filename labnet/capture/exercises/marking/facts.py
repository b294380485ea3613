"""What a student's answer says, as facts: addresses, numbers, protocols, statements, however they are spelled.

An answer is copied from Wireshark, typed from memory, or a sentence. Each reader takes the answer's text and gives what
it states, what it denies ("IPv4, not TCP"), or nothing where it states nothing of that kind.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labnet.capture.names import ETHERTYPES, IP_PROTOCOLS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DENIES: Final = re.compile(
    r"\b(?:not|no|never|without|isn'?t|aren'?t|doesn'?t|don'?t|does not|rather than|instead of|nor|neither|unlike"
    r"|lacks?)\b(?:\s+(?:the|a|an|any|of|to|in|yet|have|has|need|needs|use|uses|it|is|be|that|this|really|actually|web|its|by|for"
    r"|time|meant|measured|counted|require|requires|want|wants|know|knows|set|up|first|own|own's))*\s*$",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[.;:!?,]|\bbut\b|\bhowever\b|\band\b|\bso\b|\bbecause\b|\bsince\b", re.IGNORECASE)
_IPV4: Final = re.compile(r"(?<![\w.:])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?(?![\w:]|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])([0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?:/\d{1,3})?(?:%\w+)?(?![\w:])")
_MAC: Final = re.compile(
    r"(?<![\w:.-])(?:(?:[0-9a-fA-F]{1,2}([:-]|\s))(?:[0-9a-fA-F]{1,2}\1){4}[0-9a-fA-F]{1,2}"
    r"|[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}|(?:0x)?[0-9a-fA-F]{12})(?![\w:-])"
)
_VENDOR: Final = re.compile(r"\b[A-Za-z][A-Za-z0-9]*_([0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})\b")
_NUMBER: Final = re.compile(
    r"(?<![\w.:-])(?:0x([0-9a-fA-F]{1,8})|0b([01]{1,32})|(\d{1,3}(?:,\d{3})+|\d{1,10}))(?![\w.]\d|(?![bB]\b)\w)"
)
_UNITS: Final = re.compile(
    r"\s*(?:-|\u00d7|\*)?\s*(?:32[- ]?bit\s+)?"
    r"(?P<unit>words?|bits?|bytes?|octets?|b\b|hops?|routers?|seconds?|secs?|dwords?|milliseconds?|ms\b)",
    re.IGNORECASE,
)
_SUM: Final = re.compile(r"(\d+)\s*([-+*/\u00d7\u2013\u2212])\s*(\d+)")
_WORDS: Final = {
    word: number
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")
    )
}  # fmt: skip
_NUMBER_WORDS: Final = re.compile(
    rf"(?i)\b({'|'.join(_WORDS)})\b(\s+(?:words?|bytes?|octets?|hops?|bits?)\b)|^\W*({'|'.join(_WORDS)})\W*$"
)
_WIRESHARK_BITS: Final = re.compile(r"^[01. ]*\.[01. ]*=\s*|\b32[- ]bit\b(?= words?)")
"""The bits that Wireshark draws before a field that is no whole bytes."""
_TIMES: Final = re.compile(r"(?<=\d)\s+x\s+(?=\d)|(?<=[1-9])x(?=\d)")


def denies(text: str, at: int) -> bool:
    """Whether what stands at ``at`` of ``text`` is denied there: by a "not" before it in the same clause."""
    before = text[:at]
    starts = [match.end() for match in _CLAUSE.finditer(before)]
    clause = before[starts[-1] :] if starts else before
    return _DENIES.search(clause) is not None


def addresses(text: str) -> list[Address]:
    """The IP addresses that ``text`` states, in order, without those that it denies."""
    found: list[tuple[int, Address]] = []
    for match in [*_IPV4.finditer(text), *_IPV6.finditer(text)]:
        try:
            address = ipaddress.ip_address(match[1])
        except ValueError:
            continue
        if not denies(text, match.start()):
            found.append((match.start(), address))
    return [address for _, address in sorted(found, key=lambda one: one[0])]


def mask(text: str) -> Sequence[Address]:
    """The subnet masks that ``text`` states: dotted, as a prefix length, or in hexadecimal."""
    found = [address for address in addresses(text) if address.version == 4]
    if found:
        return found[:1]
    prefix = re.search(r"(?:^|[\s(])/\s?(\d{1,2})\b|\b(\d{1,2})[ -]?bits?\b", text)
    if prefix is not None and 0 <= (bits := int(prefix[1] or prefix[2])) <= 32:
        return [ipaddress.ip_network(f"0.0.0.0/{bits}").netmask]
    packed = re.fullmatch(r"\s*(?:0x)?((?:[0-9a-fA-F]{2}[\s:]?){4})\s*", text)
    return [ipaddress.IPv4Address(bytes.fromhex(re.sub(r"[\s:]", "", packed[1])))] if packed is not None else []


def macs(text: str) -> list[str]:
    """The MAC addresses that ``text`` states, as twelve digits; "broadcast" is one."""
    found = []
    for match in _MAC.finditer(text):
        if denies(text, match.start()):
            continue
        parts = re.split(r"[:\-\s]", match[0])
        digits = "".join(part.zfill(2) for part in parts) if len(parts) == 6 else re.sub(r"[.:\-\s]", "", match[0])
        found.append(digits.lower().removeprefix("0x"))
    vendor = _VENDOR.search(text)
    if vendor is not None and found and not found[0].endswith(vendor[1].replace(":", "").lower()):
        return [*found, vendor[1]]  # the two halves contradict each other
    word = re.search(r"\bbroadcast\b|\ball[- ](?:ones|f'?s)\b", text, re.IGNORECASE)
    if word is not None and not found and not denies(text, word.start()):
        return ["f" * 12]
    return found


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an answer: ``stated`` outside brackets, each as it counts; ``beside`` are those in brackets.

    ``wrong_sum`` says that a calculation in it is wrong; ``in_seconds`` that a unit of time stands with one.
    """

    stated: list[int]
    beside: list[int]
    wrong_sum: bool = False
    in_seconds: bool = False


def numbers(text: str) -> Numbers:
    """The whole numbers that ``text`` states, with "words" and "bits" as bytes; of a calculation its result."""
    wrong_sum = False
    text = _TIMES.sub(" * ", _WIRESHARK_BITS.sub("", text))
    text = _NUMBER_WORDS.sub(lambda match: f"{_WORDS[(match[1] or match[3]).lower()]}{match[2] or ''}", text)
    if (negative := re.fullmatch(r"\s*-\s*(\d+)\s*(?:bytes?)?\s*", text)) is not None:
        return Numbers([-int(negative[1])], [])
    for equation in re.finditer(r"([^=]+)=\s*(\d+)", text):
        terms = _SUM.search(equation[1])
        if terms is not None:
            wrong_sum |= _calculated(terms) != int(equation[2])
    if "=" in text and re.search(r"=\s*\(?\s*(0x[0-9a-fA-F]+|\d+)", text):
        text = text[text.rindex("=") + 1 :]
    elif (terms := _SUM.search(text)) is not None and _NUMBER.sub("", text).strip(" -+*/\u00d7\u2013\u2212().") == "":
        return Numbers([_calculated(terms)], [])
    elif (terms := re.search(r"\b(\d+)\s*(?:words?|dwords?)?\s*(?:\*|\u00d7|times)\s*(\d+)\b", text)) is not None:
        text = text.replace(terms[0], str(int(terms[1]) * int(terms[2])))
    stated: list[int] = []
    beside: list[int] = []
    in_seconds = False
    for match in _NUMBER.finditer(text):
        if denies(text, match.start()):
            continue
        value, seconds = _with_unit(match, text)
        in_seconds |= seconds
        depth = text[: match.start()].count("(") - text[: match.start()].count(")")
        depth += text[: match.start()].count("[") - text[: match.start()].count("]")
        is_binary = depth > 0 and re.fullmatch(r"0[01]{3,}", match[0]) is not None
        (beside if depth > 0 else stated).append(int(match[0], 2) if is_binary else value)
    return Numbers(stated or beside, beside if stated else [], wrong_sum, in_seconds)


def _calculated(terms: re.Match[str]) -> int:
    first, second = int(terms[1]), int(terms[3])
    if terms[2] == "+":
        return first + second
    if terms[2] in "*\u00d7":
        return first * second
    if terms[2] == "/":
        return first // second if second else -1
    return first - second


def _with_unit(match: re.Match[str], text: str) -> tuple[int, bool]:
    value = int(match[1], 16) if match[1] else int(match[2], 2) if match[2] else int(match[3].replace(",", ""))
    unit = _UNITS.match(text, match.end())
    if unit is None:
        return value, False
    name = unit["unit"].lower()
    if name.startswith(("word", "dword")):
        return value * 4, False
    if name.startswith("bit"):
        return value // 8 if value % 8 == 0 else -value, False
    return value, name.startswith(("sec", "ms", "milli"))


_ETHERTYPE_NAMES: Final[Mapping[str, int]] = {
    "arp": 0x0806, "address resolution protocol": 0x0806, "ipv4": 0x0800, "ip version 4": 0x0800,
    "internet protocol version 4": 0x0800, "ipv6": 0x86DD, "ip version 6": 0x86DD,
    "internet protocol version 6": 0x86DD, "802.1q": 0x8100, "vlan": 0x8100,
}  # fmt: skip
_UPPER: Final = {
    "tcp": "TCP", "transmission control protocol": "TCP", "udp": "UDP", "user datagram protocol": "UDP",
    "http": "HTTP", "hypertext transfer protocol": "HTTP", "icmp": "ICMP",
    "internet control message protocol": "ICMP", "dns": "DNS", "dhcp": "DHCP",
}  # fmt: skip
_PROTOCOL_NAMES: Final[Mapping[str, int]] = {
    "icmp": 1, "internet control message protocol": 1, "igmp": 2, "tcp": 6, "transmission control protocol": 6,
    "udp": 17, "user datagram protocol": 17, "icmpv6": 58, "gre": 47, "ospf": 89, "sctp": 132,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protocols:
    """What an answer says of a protocol: ``numbers``, those of the ``names``, and ``upper`` layers that it names."""

    numbers: set[int]
    names: set[int]
    upper: list[str]
    is_ip: bool = False
    """Whether it says "IP" without a version."""


def ethertypes(text: str) -> Protocols:
    """The EtherTypes that ``text`` states by number or by name, and what it names of other layers."""
    found: set[int] = set()
    for match in re.finditer(r"0[xX]([0-9a-fA-F]{1,4})\b|(?<![\w.:])([0-9a-fA-F]{2})\s([0-9a-fA-F]{2})(?![\w:])"
                             r"|(?<![\w.:])([0-9a-fA-F]{4})(?![\w:])", text):  # fmt: skip
        if not denies(text, match.start()):
            digits = match[1] or (match[2] or "") + (match[3] or "") or match[4]
            decimal = int(digits) if digits.isdigit() and match[4] and int(digits) in ETHERTYPES else None
            found.add(decimal if decimal is not None and int(digits, 16) not in ETHERTYPES else int(digits, 16))
    for match in re.finditer(r"(?<![\w.:])(\d{5})(?!\w)", text):
        found.add(int(match[1]))
    names = _named(text, _ETHERTYPE_NAMES)
    upper = [shown for name, shown in _UPPER.items() if _states(text, name)]
    is_ip = not names and (_states(text, "ip") or _states(text, "internet protocol"))
    return Protocols(found, names, sorted(set(upper)), is_ip)


def protocols(text: str) -> Protocols:
    """The IP protocols that ``text`` states by number or by name."""
    found = {value for value in [*numbers(text).stated, *numbers(text).beside] if value < 256}
    names = _named(text, _PROTOCOL_NAMES)
    names |= {number for number, name in IP_PROTOCOLS.items() if number not in (0, 4) and _states(text, name.lower())}
    if 58 in names:
        names.discard(1)
    return Protocols(found, names, [])


def _named(text: str, known: Mapping[str, int]) -> set[int]:
    return {number for name, number in known.items() if _states(text, name)}


def _states(text: str, name: str) -> bool:
    """Whether ``name`` stands in ``text`` as a word of its own and is not denied."""
    return any(
        not denies(text, match.start())
        for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?![\w])", text, re.IGNORECASE)
    )


def states(text: str, pattern: str) -> bool:
    """Whether ``text`` says what the regular expression ``pattern`` looks for, as whole words, without denying it."""
    return any(not denies(text, match.start()) for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE))


def mentions(text: str, pattern: str) -> bool:
    """Whether ``text`` has what ``pattern`` looks for, as whole words, denied or not."""
    return re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE) is not None
