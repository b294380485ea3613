"""What the application data of one packet are, by labnet's own codecs: course protocols, DNS, DHCP, HTTP.

A datagram of the course carries nothing that names its protocol. A text with the form of a name is a question of the
course where its server is known to speak that protocol, by its port or by a reply; a bare address or an empty datagram
is a reply where a question waits for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from labnet.capture import names
from labnet.capture.model import Dissected, Field, Layer
from labnet.capture.packet.dialects import fields_of, is_command, is_unmistakable, question_in, reply_in
from labnet.capture.packet.dns import DNSError, read_message
from labnet.capture.packet.headers import BOOTP, read_header
from labnet.capture.packet.options import read_dhcp_options
from labnet.capture.packet.tls import looks_like_tls, read_records
from labnet.command.framing import COMMANDS
from labnet.wire.course import decode_bare_name, decode_reply
from labnet.wire.course_line import TextError
from labnet.wire.dns_request import Refusal, Silence, decode_query
from labnet.wire.quoting import quoted
from labnet.wire.types import CourseReply, Referral

_COOKIE: Final = b"\x63\x82\x53\x63"
_HTTP: Final = re.compile(
    rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|REPORT"
    rb"|SEARCH|SUBSCRIBE|UNSUBSCRIBE|NOTIFY|M-SEARCH|QUERY) (\S{1,8000})"
    rb"(?: (HTTP/1\.[01])\r?\n| ?(?:H|HT|HTT|HTTP[/1.0]*)?\r?\Z)"
)
"""A request line, or the start of one that goes on in the next segment (RFC 9110, section 9; RFC 4918)."""
_HTTP_REPLY: Final = re.compile(rb"(HTTP/1\.[01]) (\d{3}) ?([^\r\n]{0,200})\r?\n")
_GREETING: Final = re.compile(
    rb"Connected: your IP address is \S+ and your port is \d+|MESSAGE!!! ----> We are now connected to "
)
_STAMPED: Final = re.compile(rb'\b([01])"?\s*,\s*"?(\d+(?:\.\d+)?)"?\s*\]?\s*\Z')
"""The fourth and fifth field of an information line."""
_LONGEST_REPLY: Final = 400
"""Bytes of a segment that can be one of the command server's."""
_CTIME: Final = re.compile(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\n?")
_INVALID: Final = (b"Invalid command!", b"WARNING!!! ----> Please enter a valid command!")
_OTHERS: Final = {
    69: "TFTP", 123: "NTP", 137: "NBNS", 138: "NBDS", 161: "SNMP", 162: "SNMP", 443: "QUIC", 500: "ISAKMP",
    514: "Syslog", 520: "RIP", 521: "RIPng", 1900: "SSDP", 3702: "WS-Discovery",
}  # fmt: skip
"""Well-known UDP ports of protocols that are named and not read."""
_MULTICAST_DNS: Final = {5353: "mDNS", 5355: "LLMNR"}
COURSE_PORTS: Final = frozenset({1199, 1200})
"""The ports of the transcript's resolvers."""


@dataclass(frozen=True, slots=True)
class ApplicationData:
    """One application message: ``protocol`` as the packet list names it, ``says`` as its info column.

    ``kind`` is "question" or "reply" where that is what it is; ``name`` is the name asked or answered; ``ident`` is the
    DNS transaction id and ``rrtype`` the type asked for; ``outcome`` is what a reply comes to, such as an address.
    """

    protocol: str
    says: str
    layer: Layer
    kind: str = ""
    name: str | None = None
    ident: int | None = None
    outcome: str | None = None
    rrtype: str = ""


def is_course_port(frame: Dissected) -> bool:
    """Whether the transcript's resolvers have the port that ``frame`` goes to, or labnet itself recorded it."""
    ports = frame.ports
    return frame.packet.is_own or (ports is not None and ports[1] in COURSE_PORTS)


def recognise(
    frame: Dissected, answers: bool = False, asks_course: Callable[[Dissected], bool] = is_course_port
) -> ApplicationData | None:
    """The message in ``frame``, its layer added to the frame's; None where the data are nothing that is known here.

    ``answers`` says that this datagram comes back on a way on which a course question went and was not answered yet;
    ``asks_course`` whether the server that a frame goes to speaks the course protocol.
    """
    transport, ports, joined = frame.transport, frame.ports, frame.joined
    if ports is None or (frame.fragment is not None and joined is None):
        return None
    is_udp = joined.protocol == 17 if joined is not None else transport is not None and transport.name == "udp"
    message = _datagram(frame, ports, answers, asks_course) if is_udp else _segment(frame, ports)
    if message is not None and frame.joined is None:
        frame.layers.append(message.layer)
    return message


def _datagram(
    frame: Dissected, ports: tuple[int, int], answers: bool, asks_course: Callable[[Dissected], bool]
) -> ApplicationData | None:
    data, at = frame.data, frame.payload[0]
    for port in ports:
        if port in (67, 68):
            return _dhcp(frame)
        if port in _OTHERS:
            layer = Layer("data", _OTHERS[port], at, len(data))
            return ApplicationData(_OTHERS[port], f"{ports[0]} → {ports[1]} Len={frame.size}", layer)
        if port in _MULTICAST_DNS:
            found = _dns(data, at, strict=True, is_own=False)
            return None if found is None else replace(found, protocol=_MULTICAST_DNS[port])
    if b"\0" in data or 53 in ports:
        return _dns(data, at, strict=53 not in ports, is_own=frame.packet.is_own)
    return _course(frame, answers, asks_course)


def _dns(data: bytes, at: int, strict: bool, is_own: bool) -> ApplicationData | None:
    """``strict`` takes whole messages alone; ``is_own`` says that labnet itself got or sent it."""
    try:
        message = read_message(data, at)
    except DNSError:
        return None
    if strict and (message.name is None or message.problem or message.length != len(data)):
        return None
    name, kind = message.name or "?", message.kind
    if message.is_response:
        code = names.DNS_RCODES.get(message.rcode, str(message.rcode))
        outcome = ", ".join(message.answers[:4]) or code
        says = f"Response 0x{message.ident:04x} {kind} {name}: {outcome}"
    else:
        outcome, says = None, f"Query 0x{message.ident:04x} {kind} {name}{_refused(data) if is_own else ''}"
    if message.problem:
        says += f" [{message.problem}]"
    direction = "reply" if message.is_response else "question"
    message.layer.title = f"Domain Name System ({direction})"
    return ApplicationData("DNS", says, message.layer, direction, name, message.ident, outcome, kind)


def _refused(query: bytes) -> str:
    """What labnet's own server makes of a query that it does not look up."""
    try:
        decode_query(query)
    except Refusal as refusal:
        return f" (labnet answers {refusal.rcode.name} at once)"
    except Silence:
        return " (labnet does not answer)"
    return ""


def _dhcp(frame: Dissected) -> ApplicationData | None:
    at, end = frame.payload
    if frame.joined is not None or end - at < 44:
        return None
    layer = read_header(BOOTP, frame.packet.data, at, end)
    _split_hardware_address(layer)
    cookie = layer.end
    if not layer.cut and frame.packet.data[cookie : cookie + 4] == _COOKIE:
        layer.fields.append(Field("dhcp.cookie", "Magic cookie", cookie, 4, _COOKIE, "99.130.83.99: DHCP"))
        layer.length += 4
        read_dhcp_options(layer, frame.packet.data, end)
    layer.length = end - at
    kind = names.DHCP_MESSAGES.get(layer.number("dhcp.option.dhcp") or 0)
    says = f"DHCP {kind}" if kind else "BOOTP"
    return ApplicationData("DHCP", f"{says}, transaction 0x{layer.number('dhcp.id') or 0:08x}", layer)


def _split_hardware_address(layer: Layer) -> None:
    """Of the sixteen bytes for the client's address as many count as the length field says."""
    field = layer.get("dhcp.hw.mac_addr")
    length = layer.number("dhcp.hw.len") or 0
    if field is None or not isinstance(field.value, bytes) or not 0 < length < field.length:
        return
    address = field.value[:length].hex(":")
    rest = field.value[length:]
    index = [one.name for one in layer.fields].index(field.name)
    padding = Field("dhcp.hw.addr_padding", "Address padding", field.offset + length, len(rest), rest, rest.hex(" "))
    layer.fields[index : index + 1] = [
        Field(field.name, field.title, field.offset, length, address, address),
        padding,
    ]


def _course(frame: Dissected, answers: bool, asks_course: Callable[[Dissected], bool]) -> ApplicationData | None:
    data, at = frame.data, frame.payload[0]
    if len(data) < frame.size:
        return None  # of a name that is cut nobody knows the rest
    layer = Layer("course", "Course protocol", at, len(data))
    if not (answers or is_course_reply(data)):
        try:
            name = decode_bare_name(data)
        except TextError:
            return _in_dialect(data, at) if is_unmistakable(data) else None
        if not asks_course(frame):
            return None
        layer.title = "Course protocol (question)"
        where, length = at + data.find(name.encode()), len(name.encode())
        layer.fields.append(Field("labnet.course.name", "Name", where, length, name, name))
        return ApplicationData("Course", f"Question {name}", layer, "question", name)
    try:
        reply = decode_reply(data)
    except TextError:
        return _in_dialect(data, at)
    layer.title = "Course protocol (reply)"
    if reply is None:
        layer.fields.append(Field("labnet.course.unknown", "Reply", at, len(data), data, "the name is not known"))
        return ApplicationData("Course", f"Reply {data.decode().strip() or '(empty)'}: not known", layer, "reply", None)
    layer.fields.extend(_reply_fields(data, at, reply))
    shown = data.decode().strip()
    return ApplicationData("Course", f"Reply {shown}", layer, "reply", reply.name, outcome=reply.address)


def is_course_reply(data: bytes) -> bool:
    """Whether a datagram can be nothing but a reply of the course: a list, or a line with name, address and TTL."""
    if b"," not in data and data.strip() != b"[]":
        return False
    try:
        reply = decode_reply(data)
    except TextError:
        return is_unmistakable(data) and reply_in(data) is not None
    return reply is None or (reply.name is not None and reply.ttl is not None)


def _in_dialect(data: bytes, at: int) -> ApplicationData | None:
    """A message of another dialect than the assignment's."""
    layer = Layer("course", "Course protocol (reply)", at, len(data))
    shown = quoted(data.decode(errors="replace").strip())
    asked = question_in(data)
    if asked is not None:
        dialect, name = asked
        layer.title = "Course protocol (question)"
        where, length = at + max(0, data.find(name.encode())), len(name.encode())
        layer.fields.append(Field("labnet.course.name", "Name", where, length, name, name))
        layer.fields.append(Field("labnet.course.dialect", "Dialect", at, len(data), dialect, dialect))
        return ApplicationData("Course", f"Question {shown}", layer, "question", name)
    found = reply_in(data)
    if found is None:
        return None
    dialect, reply = found
    layer.fields.extend(fields_of(dialect, reply, data, at))
    if reply is None:
        layer.fields.append(Field("labnet.course.unknown", "Reply", at, len(data), data, "the name is not known"))
        return ApplicationData("Course", f"Reply {shown}: not known", layer, "reply", None)
    if isinstance(reply, Referral):
        return ApplicationData(
            "Course", f"Reply {shown}: ask {reply.target}", layer, "reply", None, outcome=reply.target
        )
    return ApplicationData("Course", f"Reply {shown}", layer, "reply", reply.name, outcome=reply.address)


def _reply_fields(data: bytes, at: int, reply: CourseReply) -> list[Field]:
    """Where in a reply each value stands; they come in this order in every dialect."""
    fields, start = [], 0
    parts = [
        ("labnet.course.name", "Name", reply.name),
        ("labnet.course.address", "Address", reply.address),
        ("labnet.course.ttl", "TTL in seconds", None if reply.ttl is None else str(reply.ttl)),
    ]
    stamped = _STAMPED.search(data)
    if stamped is not None and reply.ttl is not None:
        parts.append(("labnet.course.learned", "Learned (1) or the author's (0)", stamped[1].decode()))
        parts.append(("labnet.course.since", "Since (epoch seconds)", stamped[2].decode()))
    for name, title, value in parts:
        where = -1 if value is None else data.find(value.encode(), start)
        if value is not None and where >= 0:
            length = len(value.encode())
            fields.append(Field(name, title, at + where, length, value, value))
            start = where + length
    return fields


def _segment(frame: Dissected, ports: tuple[int, int]) -> ApplicationData | None:
    data, at = frame.data, frame.payload[0]
    if not data:
        return None
    ways: list[Callable[[bytes, int], ApplicationData | None]] = [_tls, _http, _command, _whole_dns, _stream_dialect]
    if len(data) > 14 and int.from_bytes(data[:2], "big") == len(data) - 2 and b"\0" in data:
        ways.insert(0, lambda data, at: _dns(data[2:], at + 2, 53 not in ports, frame.packet.is_own))
    for way in ways:
        message = way(data, at)
        if message is not None:
            return message
    return None


def _stream_dialect(data: bytes, at: int) -> ApplicationData | None:
    """A segment of a dialect over TCP, of names or of commands, that cannot be mistaken."""
    if is_command(data):
        text = data.decode(errors="replace").strip()
        kind, says = ("reply", "Reply: ") if text.startswith("JAM") else ("question", "Command ")
        layer = Layer("command", "Command server", at, len(data))
        layer.fields.append(Field("command.reply", "Text", at, len(data), text, text))
        return ApplicationData("Command", f"{says}{text}", layer, kind)
    return _in_dialect(data, at) if is_unmistakable(data) else None


def _tls(data: bytes, at: int) -> ApplicationData | None:
    if not looks_like_tls(data):
        return None
    layer, says = read_records(data, at)
    return ApplicationData("TLS", says, layer)


def _whole_dns(data: bytes, at: int) -> ApplicationData | None:
    """A DNS message whose length came in a segment of its own."""
    if data[4:6] != b"\0\1":
        return None
    try:
        if read_message(data, at).length != len(data):
            return None
    except DNSError:
        return None
    return _dns(data, at, strict=True, is_own=False)


def _http(data: bytes, at: int) -> ApplicationData | None:
    if not 0x41 <= data[0] <= 0x5A:  # methods and HTTP/ begin with a capital
        return None
    request, reply = _HTTP.match(data), _HTTP_REPLY.match(data)
    first = request or reply
    if first is None:
        return None
    layer = Layer("http", "Hypertext Transfer Protocol", at, len(data))
    titles = (
        [("http.request.method", "Method"), ("http.request.uri", "Path"), ("http.request.version", "Version")]
        if request
        else [
            ("http.response.version", "Version"),
            ("http.response.code", "Status"),
            ("http.response.phrase", "Phrase"),
        ]
    )
    for group, (name, title) in enumerate(titles, 1):
        if first[group]:
            start, text = first.start(group), first[group].decode(errors="replace")
            layer.fields.append(Field(name, title, at + start, len(first[group]), text, text))
    _header_lines(layer, data, at, first.end(), "http.request.line" if request else "http.response.line")
    says = first[0].decode(errors="replace").strip()
    if first[3] is None:
        says += " … (the request line goes on)"
    return ApplicationData("HTTP", says, layer, "question" if request else "reply")


def _header_lines(layer: Layer, data: bytes, at: int, start: int, name: str) -> None:
    head_end = data.find(b"\r\n\r\n", start - 2)
    stop = len(data) if head_end < 0 else head_end + 2
    for _ in range(100):
        end = data.find(b"\n", start, stop)
        if end < 0:
            break
        text = data[start:end].decode(errors="replace").strip()
        title, _, value = text.partition(":")
        layer.fields.append(Field(name, title[:40] or "Line", at + start, end + 1 - start, text, value.strip() or text))
        start = end + 1


def _command(data: bytes, at: int) -> ApplicationData | None:
    """One segment of the command server's; what a whole session says is for :mod:`labnet.capture.traffic.sessions`."""
    if len(data) > _LONGEST_REPLY:
        return None
    text = data.decode(errors="replace").strip()
    stripped = data.strip()
    if stripped in COMMANDS:
        name, title, says, kind = "command.command", "Command", f"Command {text}", "question"
    elif _GREETING.match(data):
        name, title, says, kind = "command.greeting", "Greeting", f"Greeting: {text}", "reply"
    elif stripped in _INVALID or _CTIME.fullmatch(data):
        name, title, says, kind = "command.reply", "Reply", f"Reply: {text}", "reply"
    else:
        return None
    layer = Layer("command", f"Command server ({title.lower()})", at, len(data))
    layer.fields.append(Field(name, title, at, len(data), text, text))
    return ApplicationData("Command", says, layer, kind)
