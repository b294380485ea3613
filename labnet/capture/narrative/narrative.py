"""The packet list and the story, as text."""

from __future__ import annotations

from collections.abc import Iterator

from labnet.capture import names
from labnet.capture.model import LINK_NAMES, Dissected, Layer, Note
from labnet.capture.narrative.hexdump import hex_rows, printable
from labnet.capture.narrative.sentences import sentence, utc_text
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.traffic.exchanges import CapturedExchange
from labnet.capture.traffic.sessions import CapturedSession, TimelineEvent
from labnet.net.addresses import address_text

HEADING = f"{'No.':>6}  {'Time':>12}  {'Source':<21} {'Destination':<21} {'Protocol':<8} {'Length':>6}  Info"


def list_line(frame: Dissected, message: ApplicationData | None, zero_ns: int) -> str:
    """The packet as one line of Wireshark's list; ``zero_ns`` is the time of the first one."""
    packet = frame.packet
    since = f"{(packet.time_ns - zero_ns) / 1e9:.6f}" if packet.has_time else "no time"
    protocol, info = protocol_and_info(frame, message)
    return (
        f"{packet.number:>6}  {since:>12}  {frame.source:<21} {frame.destination:<21} {protocol:<8} "
        f"{packet.wire_length:>6}  {printable(info)}"
    )


def protocol_and_info(frame: Dissected, message: ApplicationData | None) -> tuple[str, str]:
    """The last two columns of the list."""
    if message is not None:
        return message.protocol, message.says
    if not frame.layers:
        return "?", f"{frame.unread}: {len(frame.packet.data)} bytes that labnet does not read"
    if frame.fragment is not None:
        return "IP", f"fragment, data from byte {frame.fragment[0]} on{_whole(frame)}"
    inner = frame.layers[-1]
    if inner.cut:
        return inner.name.upper(), "the header is not whole"
    if frame.unread:
        return frame.unread.split(" (")[0], f"{frame.size} bytes that labnet does not read"
    return inner.name.upper(), _info(frame, inner)


def _whole(frame: Dissected) -> str:
    """What the datagram is that this fragment completes."""
    joined = frame.joined
    if joined is None:
        return ""
    if joined.protocol in (1, 58) and frame.data:
        known = names.ICMP_TYPES if joined.protocol == 1 else names.ICMPV6_TYPES
        return f"; with it an ICMP {known.get(frame.data[0], f'message of type {frame.data[0]}')} is whole"
    return f"; with it {len(frame.data)} bytes of data are whole"


def _info(frame: Dissected, layer: Layer) -> str:
    if layer.name == "tcp":
        ports = frame.ports or (0, 0)
        flags = names.tcp_flags(layer.number("tcp.flags") or 0)
        return f"{ports[0]} → {ports[1]} [{flags}] Len={frame.size}"
    if layer.name == "udp":
        ports = frame.ports or (0, 0)
        return f"{ports[0]} → {ports[1]} Len={frame.size}"
    return sentence(frame, layer)


def frame_story(frame: Dissected, notes: list[Note], colour: bool) -> Iterator[str]:
    """``frame`` from the application data down to the link, a sentence a layer, with the bytes it is about."""
    packet = frame.packet
    where = f", interface {printable(packet.interface)}" if packet.interface else ""
    link = LINK_NAMES.get(packet.link_type, f"link type {packet.link_type}")
    when = utc_text(packet.time_ns) if packet.has_time else "without a time (a simple packet block has none)"
    yield f"Frame {packet.number}: {packet.wire_length} bytes, {when}, {link}{where}"
    if packet.comment and not packet.is_own:
        yield f"  Comment in the capture: {printable(packet.comment)}"
    start, end = frame.payload
    if end > start and not any(layer.offset >= start for layer in frame.layers):
        why = ", cut, so that they cannot be decoded" if packet.is_cut else " that labnet has no decoder for"
        yield f"  Data, bytes {start} to {end - 1}: {end - start} bytes{why}."
        yield from _indent(hex_rows(packet.data, start, end, colour))
    if frame.quoted is not None:
        for layer in reversed(frame.quoted.layers):
            yield f"  It quotes, bytes {layer.offset} to {layer.end - 1}: {printable(sentence(frame.quoted, layer))}"
    for layer in reversed(frame.layers):
        last = f" to {layer.end - 1}" if layer.length > 1 else ""
        yield f"  {layer.title}, bytes {layer.offset}{last}: {printable(sentence(frame, layer))}"
        yield from _indent(hex_rows(packet.data, layer.offset, layer.end, colour))
    for note in notes:
        yield f"  Take care: {printable(note.text)}"
        if note.kind in ("padding", "trailer"):
            yield from _indent(hex_rows(packet.data, note.offset, note.offset + note.length, colour))


def fields_of(frame: Dissected) -> Iterator[str]:
    """Every field with its place, for one frame looked at closely."""
    for layer in frame.layers:
        yield f"  {layer.title}"
        for field in layer.fields:
            last = f"-{field.end - 1}" if field.length > 1 else ""
            bits = f" bits {field.bits[0]}-{sum(field.bits) - 1}" if field.bits else ""
            raw = frame.packet.data[field.offset : field.end][:8].hex(" ")
            place = f"{field.offset}{last}{bits}"
            yield f"    {place:<16} {raw:<24} {field.title}: {printable(field.shown)}  [{field.name}]"


def exchange_story(exchange: CapturedExchange) -> Iterator[str]:
    """A question with what came of it, and how long each part took."""
    first = exchange.question.time_ns
    frames = ", ".join(str(step.frame) for step in exchange.steps())
    yield f"{exchange.protocol} exchange about {printable(exchange.name)} (frames {frames})"
    yield from _exchange_lines(exchange, first, "  ")


def _exchange_lines(exchange: CapturedExchange, first: int, indent: str) -> Iterator[str]:
    name = printable(exchange.name)
    who = "the client" if exchange.asked_by is None else "the server"
    whom = "the server" if exchange.asked_by is None else "its parent"
    yield _step(
        indent, exchange.question.time_ns - first, exchange.question.frame,
        f"{who} {address_text(*exchange.client)} asks {whom} {address_text(*exchange.server)} for {name}",
    )  # fmt: skip
    for retry in exchange.retries:
        yield _step(indent, retry.time_ns - first, retry.frame, "it asks again: no answer had come")
    for parent in exchange.parents:
        yield from _exchange_lines(parent, first, indent + "  ")
    if exchange.answer is None:
        yield f"{indent}{'':>11}  no answer in this capture"
        return
    took = _milliseconds(exchange.answer.time_ns - exchange.question.time_ns)
    outcome = printable(exchange.outcome) if exchange.outcome else "it is not known"
    by = "the parent" if exchange.asked_by is not None else "the server"
    own = ""
    if exchange.parents and all(parent.answer for parent in exchange.parents):
        own = f", {_milliseconds(_waited(exchange))} of them waiting for the parent"
    yield _step(
        indent, exchange.answer.time_ns - first, exchange.answer.frame,
        f"{by} answers: {outcome} (after {took}{own})",
    )  # fmt: skip


def _waited(exchange: CapturedExchange) -> int:
    """Nanoseconds for which at least one parent was asked: questions asked at once do not add up."""
    waits = sorted((p.question.time_ns, p.answer.time_ns) for p in exchange.parents if p.answer)
    total, until = 0, waits[0][0]
    for start, end in waits:
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def session_story(session: CapturedSession) -> Iterator[str]:
    """A TCP connection from its first segment to its last."""
    what = {"Command": "Command server", "HTTP": "HTTP", "DNS": "DNS over TCP"}.get(session.protocol, "TCP")
    yield (
        f"{what} session of {address_text(*session.client)} with {address_text(*session.server)} "
        f"(frames {session.first_frame} to {session.last_frame})"
    )
    for event in session.events:
        yield _step("  ", event.time_ns - session.time_ns, event.frame, printable(_event(event)))
    if session.untold:
        yield f"  … and {session.untold} more"
    counts = f"{_counted(session, session.client, ' bytes')} of data from the client"
    counts += f", {_counted(session, session.server, '')} from the server"
    yield f"  {counts}. {session.closed or 'The capture does not show the end of it'}."


def _counted(session: CapturedSession, end: tuple[str, int], unit: str) -> str:
    """The bytes that one side sent, by the sequence numbers, and how many of them the capture has."""
    stream = session.sides.get(end)
    total, seen = (stream.total, stream.seen) if stream is not None else (0, 0)
    return (
        f"{total}{unit}" if seen == total else f"{total}{unit} by the sequence numbers ({seen} of them in the capture)"
    )


def _event(event: TimelineEvent) -> str:
    said = {
        "command": "the client sends the command",
        "greeting": "the server greets",
        "reply": "the server replies",
        "data": f"the {event.who} sends",
    }
    return f"{said.get(event.kind, f'the {event.who}' if event.who else '')} {event.says}".strip()


def _step(indent: str, after_ns: int, frame: int, says: str) -> str:
    return f"{indent}{_milliseconds(after_ns):>11}  frame {frame}: {says}"


def _milliseconds(nanoseconds: int) -> str:
    if abs(nanoseconds) >= 1_000_000_000:
        return f"{nanoseconds / 1e9:.3f} s"
    return f"{nanoseconds / 1e6:.3f} ms"


def _indent(rows: list[str]) -> Iterator[str]:
    return (f"      {row}" for row in rows)
