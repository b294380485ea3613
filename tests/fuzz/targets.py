"""What is fuzzed: each target takes any bytes; what it raises is a finding."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.files.formats import Capture
from labnet.capture.files.source import CaptureBytes
from labnet.capture.model import CaptureError
from labnet.capture.narrative.explain import Understanding, story
from labnet.capture.traffic.checks import notes
from labnet.command.framing import CommandFramer
from labnet.console.actions import actions_of
from labnet.console.control import ControlFactory, ControlServer
from labnet.console.encoding import packed, shown, unpacked
from labnet.console.http import LimitedSite
from labnet.console.page.access import PageAccess
from labnet.console.page.api import Api
from labnet.console.page.front import Front
from labnet.console.page.packets import capture_of, layers_of
from labnet.console.page.streams import Streams
from labnet.console.ring import Ring
from labnet.console.web import CONNECTIONS, pages_at
from labnet.dialects.codec import Codec
from labnet.dialects.framing import Framer, FramingError
from labnet.dialects.library import find, shipped
from labnet.dialects.model import FRAMINGS
from labnet.events import Exchange
from labnet.ladder.live import live_ladder
from labnet.ladder.svg import ladder_svg
from labnet.resolver.cache.lines import decode_line, encode_line
from labnet.resolver.cache.policy import Bounds
from labnet.resolver.cache.tail import TailReader
from labnet.resolver.files.course import parse_records
from labnet.resolver.files.detect import kind_of
from labnet.resolver.files.hosts import read_hosts
from labnet.resolver.files.root_hints import parse_hints
from labnet.resolver.files.trust_anchors import parse_anchors
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.names import NameSet
from labnet.resolver.filtering.names_file import NamesFile
from labnet.resolver.filtering.policy_zone import PolicyZone
from labnet.resolver.shared.values import Looked, decode_flush, decode_value
from labnet.resolver.transfers.incoming import IncomingTransfer, TransferError
from labnet.resolver.upstream.errors import Bogus, ParentFailed
from labnet.resolver.validation.chain import TrustChain
from labnet.resolver.validation.denial import Proofs
from labnet.resolver.validation.keys import read_ds
from labnet.resolver.validation.nsec import NsecProofs
from labnet.resolver.validation.nsec3 import Nsec3Proofs
from labnet.resolver.validation.signatures import ZoneKey, canonical_rdata, read_signature
from labnet.resolver.validation.validator import Validator
from labnet.resolver.validation.work import Work
from labnet.wire.course import decode_reply as decode_course_reply
from labnet.wire.course_line import TextError
from labnet.wire.dns_forward import forwardable_addresses, matches
from labnet.wire.dns_request import Refusal, Silence, decode_query
from labnet.wire.dns_response import Options, encode_answer, encode_refusal
from labnet.wire.dns_upstream import Broken, NotOurs, Truncated, decode_reply
from labnet.wire.reply_chain import chain_of
from labnet.wire.transfer import notify_reply, read_notify, serial_in
from labnet.wire.tsig import Keyring
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType, Security, Upstream
from labnet.wire.web.doh import NoQuestion, fields_for, question_in
from labnet.wire.web.http1 import HTTP1Codec
from labnet.wire.web.http2 import PREFACE, HTTP2Codec
from labnet.wire.web.model import HTTPBroken, ServerCodec
from tests.resolver.lab import CLIENT, Lab
from tests.resolver.validation.trees import NOW, Tree
from tests.resolver.validation.trees import question as tree_question
from tests.wire.samples import SENT, WWW

SEEDS: Final = Path(__file__).with_name("seeds")
_PEER: Final = IPv4Address("TCP", *CLIENT)
_ZONE: Final = '$TTL 60\n$ORIGIN lab.\nwww A 10.0.0.1\nalias CNAME www\n*.any TXT "text"\ngone DNAME any\n'


_KEYRING: Final = Keyring({"key.lab": ("hmac-sha256", b"a secret")})

_CODECS: Final = [Codec(dialect) for dialect in map(find, shipped()) if dialect.kind == "names"]


def quietly(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """``target``, which raises too where it has a traceback logged."""

    @wraps(target)
    def run(data: bytes) -> None:
        failures: list[str] = []

        def note(event: LogEvent) -> None:
            if "log_failure" in event:
                failures.append(event["log_failure"].getTraceback())

        globalLogPublisher.addObserver(note)
        try:
            target(data)
        finally:
            globalLogPublisher.removeObserver(note)
        assert not failures, failures[0]

    return run


def dns_query(data: bytes) -> None:
    """A query of a client, decoded, and answered with nothing."""
    try:
        query = decode_query(data)
    except Silence:
        return
    except Refusal as refusal:
        encode_refusal(refusal, True, Options())
        return
    reply = encode_answer(query, Answer(Rcode.NOERROR), False, True, Options(), False)
    assert reply[:2] == data[:2]


def dns_reply(data: bytes) -> None:
    """A parent's reply on both paths: the question of :data:`~tests.wire.samples.SENT` is put into it."""
    whole = data[:4] + b"\0\1" + data[4:10] + SENT.question + data[10:]
    for datagram in (data, SENT.id.to_bytes(2, "big") + whole[2:]):
        with contextlib.suppress(NotOurs, Truncated, Broken):
            chain_of(WWW, decode_reply(datagram, SENT))
        if matches(datagram, SENT.question):
            forwardable_addresses(datagram, SENT.question)


def course(data: bytes) -> None:
    """A client's question and a parent's reply, alone and on a stream."""
    for framing in FRAMINGS:
        framer = Framer(framing)
        with contextlib.suppress(FramingError):
            for part in (data[:3], data[3:]):
                framer.receive(part)
        framer.end()
    for dialect in _CODECS:
        with contextlib.suppress(TextError):
            dialect.decode_question(data)
        with contextlib.suppress(TextError):
            dialect.decode_reply(data)
    with contextlib.suppress(TextError):
        decode_course_reply(data)


@quietly
def resolver_udp(data: bytes) -> None:
    """A datagram of either protocol to a whole resolver with a zone and no parent."""
    lab = _lab()
    lab.send(data)
    lab.network.sent.clear()


@quietly
def resolver_tcp(data: bytes) -> None:
    """A connection to a whole resolver, in two segments."""
    lab = _lab()
    factory = lab.reactor.stream_factories[0]
    stream, transport = factory.buildProtocol(_PEER), StringTransport(peerAddress=_PEER)
    if stream is None:
        return
    stream.makeConnection(transport)
    for part in (data[: len(data) // 2], data[len(data) // 2 :]):
        if part and not transport.disconnecting:
            stream.dataReceived(part)
    stream.connectionLost(Failure(EOFError()))
    lab.reactor.advance(0)


def commands(data: bytes) -> None:
    """The command server's input: a NUL stands for a pause."""
    framer = CommandFramer()
    for part in data.split(b"\0"):
        framer.receive(part)
        framer.pause()
    framer.end()


@quietly
def http(data: bytes) -> None:
    """A connection to the console's pages."""
    clock = Clock()
    site = LimitedSite(pages_at(list, list, list, clock), clock, CONNECTIONS)
    channel, transport = site.buildProtocol(_PEER), StringTransport(peerAddress=_PEER)
    assert channel is not None
    channel.makeConnection(transport)
    channel.dataReceived(data)
    clock.pump([0.0] * 5)
    channel.connectionLost(Failure(EOFError()))


class _Backend:
    """The lab behind the live page."""

    def view(self, what: str, arguments: Any) -> Any:
        return {"resolvers": [], "command": None} if what == "lab" else {}


@quietly
def live_page(data: bytes) -> None:
    """A connection to the live page."""
    clock: Any = Clock()
    ring = Ring(clock)
    access, streams = PageAccess("token", {"main": "other"}), Streams(ring, clock)
    api = Api(_Backend(), ring, lambda *asked: {}, dict, access.page_token)
    site = LimitedSite(Front(access, api, streams, {}), clock, CONNECTIONS, takes_bodies=True)
    channel, transport = site.buildProtocol(_PEER), StringTransport(hostAddress=_PEER, peerAddress=_PEER)
    assert channel is not None
    channel.makeConnection(transport)
    channel.dataReceived(data)
    clock.pump([0.0] * 5)
    channel.connectionLost(Failure(EOFError()))
    ring.stop()


@quietly
def watched(data: bytes) -> None:
    """A datagram to a resolver that somebody watches: all that is made of it can be shown."""
    lab, ring = _watched_lab()
    begin = ring.last
    ring.refill()
    lab.send(data)
    lab.network.sent.clear()
    for noted in ring.after(begin, 100):
        json.dumps(shown(noted, whole=True))
        assert unpacked(json.loads(json.dumps(packed(noted.event)))) == noted.event
        if isinstance(noted.event, Exchange):
            for datagram in noted.event.datagrams:
                layers_of(datagram)
            capture_of(noted.event.datagrams, 0.0)
            ladder_svg(live_ladder([shown(noted)]))


class _Lab:
    """What a control socket speaks for."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: iter(["a line"]) if name == "dump" else []


@quietly
def control(data: bytes) -> None:
    """A connection to the control socket."""
    lab: Any = _Lab()
    reactor: Any = Clock()
    factory = ControlFactory(ControlServer("control.sock", actions_of(lab), reactor))
    protocol, transport = factory.buildProtocol(_PEER), StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(data + b"\n")
    protocol.connectionLost(Failure(EOFError()))


def learned(data: bytes) -> None:
    """The logs of what was learned; what a line holds can be written again."""
    TailReader(1e9, 1_000_000).dns(io.BytesIO(data))
    TailReader(1e9, 1_000_000).course(io.BytesIO(data), "log")
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            cached = decode_line(line.decode(), "log")
            again = decode_line(encode_line(cached), "log")
            assert again[0] == cached[0]


def shared(data: bytes) -> None:
    """What another program has put into Redis: a value, found and as a message, and a message to forget."""
    for left in (30.0, math.inf):
        decode_value(WWW, Looked(data, left), Bounds(), 1e9)
    decode_flush(data, "this lab")


def records(data: bytes) -> None:
    """A records file, as each kind."""
    kind_of("records", data)
    parse_records(data, 0.0, log=True)
    read_hosts(data, lambda *record: None)
    if b"$GENERATE" not in data.upper():  # it makes up to a million records, which takes its time
        read_zone(data, lambda *record: None)
    parse_hints(data)


class _LineByLine(NamesFile):
    """A list in which no chunk is read as a whole."""

    def _take_chunk(self, chunk: bytes, hosts: bool) -> bool:
        return False


class _EntryByEntry(PolicyZone):
    """A policy zone in which no chunk is read as a whole."""

    def _bulk(self, chunk: bytes) -> bool:
        return False


def _entries(names: NameSet) -> list[tuple[bytes, int]]:
    tables = names._exact, names._below
    return sorted((table.key(place), number) for table in tables for number, place in table.addresses())


def lists(data: bytes) -> None:
    """A block list, in each form; both ways of reading it find the same names."""
    for hosts in False, True:
        found = []
        for kind in NamesFile, _LineByLine:
            file = kind(NameSet())
            file.read(data, hosts)
            found.append((_entries(file._names), file.skipped.problems()))
        assert found[0] == found[1], found
    zones = []
    for zone_kind in PolicyZone, _EntryByEntry:
        block_list = BlockList("list")
        zone = zone_kind(block_list)
        zone.read(b"@ SOA a. b. 1 2 3 4 5\n")  # only behind its head are chunks read as a whole
        zone.read(data)
        zones.append((_entries(block_list.names), zone.skipped.problems(), len(block_list.treatments)))
    assert zones[0] == zones[1], zones


def capture(data: bytes) -> None:
    """A capture file, explained."""
    understanding = Understanding()
    with contextlib.suppress(CaptureError):
        for packet in Capture(CaptureBytes(io.BytesIO(data), "capture", len(data))):
            frame, _, over = understanding.take(packet)
            notes(frame)
            list(story(over))
    list(story(understanding.rest()))


def transfer(data: bytes) -> None:
    """What other servers send: messages of a zone, each behind its length, and questions that are signed or NOTIFY."""
    for have in None, 3:
        version = IncomingTransfer(b"\3lab\0", 7, have, lambda lines: None)
        left = data
        with contextlib.suppress(TransferError):
            while left and not version.receive(left[2 : 2 + int.from_bytes(left[:2], "big")]):
                left = left[2 + int.from_bytes(left[:2], "big") :]
    with contextlib.suppress(Silence):
        try:
            decode_query(data)
        except Refusal as refusal:
            opened = _KEYRING.open(data, refusal, 1e9)
            if opened is not None and opened.signer is not None:
                opened.signer.sign(encode_refusal(refusal, False, Options()), 1e9)
    read_notify(data)
    serial_in(data)
    if len(data) >= 12:
        notify_reply(data, Rcode.REFUSED)


def web(data: bytes) -> None:
    """A connection of DNS over HTTPS, in both versions of HTTP."""
    asked = b"\0\0\5\1\5\0\0\0\1\x82\x87\x04\x01/"  # the fields of this request are known then
    codecs: list[tuple[ServerCodec, bytes]] = [(HTTP1Codec(), b""), (HTTP2Codec(), PREFACE + asked)]
    for codec, begun in codecs:
        with contextlib.suppress(HTTPBroken):
            for part in (begun + data[:20], data[20:]):
                for request in codec.receive(part):
                    try:
                        fields, body = fields_for(60), question_in(*request[1:5])
                    except NoQuestion as error:
                        fields, body = error.fields, error.body
                    codec.respond(request.stream, 200, fields, body)
        codec.end()
        codec.to_send()


_ASKED: Final = (
    "www.lab.test A",
    "x.wild.lab.test A",
    "nothing.lab.test A",
    "www.lab.test MX",
    "a.old.lab.test A",
    "www.plain.test A",
    "lab.test DS",
    ". DNSKEY",
)


@quietly
def validation(data: bytes) -> None:
    """What validates: a reply of a signed zone with some bytes changed, and records of any bytes.

    The first byte picks the kind of proof, the question, and whether the reply itself or the links to it are changed.
    Each three bytes behind it are a place and what is changed there. What is secure then is what was signed.
    """
    picked = data[0] if data else 0
    tree, asked = _trees()[picked & 1], tree_question(_ASKED[picked >> 1 & 7])
    edits = [(int.from_bytes(data[at : at + 2], "big"), data[at + 2]) for at in range(1, len(data) - 2, 3)]

    def changed(each: Question) -> Upstream:
        return tree.told(each, lambda wire: _edited(wire, edits))

    genuine = tree.told(asked)
    chain = TrustChain(tree.anchors(), frozenset(), lambda each: execute(changed, each), _clock())
    with contextlib.suppress(ParentFailed, NotOurs, Truncated, Broken):
        chain.ask = chain.ask if picked & 16 else tree.ask
        told = genuine if picked & 16 else changed(asked)
        done: list[Any] = []
        Deferred.fromCoroutine(Validator(chain).validate(asked, told)).addBoth(done.append)
        if isinstance(done[0], Failure):
            done[0].trap(ParentFailed, NotOurs, Truncated, Broken)
        elif done[0][1].security is Security.SECURE:
            # A chain may be cut behind an alias; whoever asks goes on from there.
            checked, signed = (
                [(each.key, {canonical_rdata(each.rrtype, rdata) for rdata in each.rdatas}) for each in one.rrsets]
                for one in (done[0][0], genuine)
            )
            assert checked == signed[: len(checked)]
    _any_records(data)


def _any_records(data: bytes) -> None:
    read_signature(data)
    read_ds([data])
    with contextlib.suppress(ValueError):
        ZoneKey(data).verifies(data[:64], data)
    work = Work()
    for owner in (WWW.key, b"\x20" + b"0" * 32 + b"\3lab\0"):
        for rrtype, kind in ((RRType.NSEC, NsecProofs), (RRType.NSEC3, partial(Nsec3Proofs, work=work))):
            proofs: Proofs = kind(b"\3lab\0", [RRset(owner, rrtype, 60, (data,))])
            name = WWW.key
            for ask in partial(proofs.no_name, name), partial(proofs.no_data, name, 1), partial(proofs.cut, name):
                with contextlib.suppress(Bogus):
                    ask()
    parse_anchors(data)


def _edited(wire: bytes, edits: list[tuple[int, int]]) -> bytes:
    made = bytearray(wire)
    for place, bits in edits:
        made[place % len(made)] ^= bits
    return bytes(made)


@lru_cache
def _trees() -> tuple[Tree, Tree]:
    return Tree().grow(), Tree(nsec3=True).grow()


@lru_cache
def _clock() -> Clock:
    clock = Clock()
    clock.advance(NOW)
    return clock


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    each.__name__: each
    for each in (
        dns_query, dns_reply, course, resolver_udp, resolver_tcp, commands, http, control, learned, shared, records,
        lists, capture, live_page, watched, web, transfer, validation,
    )
}  # fmt: skip


@lru_cache
def _lab() -> Lab:
    return Lab(_Endless("lasts"), {"zone.lab": _ZONE}, parents=[], learned=None, rate_limit=0)


@lru_cache
def _watched_lab() -> tuple[Lab, Ring]:
    lab = Lab(_Endless("lasts"), {"zone.lab": _ZONE}, parents=[], learned=None, rate_limit=0)
    ring = Ring(lab.reactor)
    ring.look()
    lab.service.counts.events = ring
    return lab, ring


class _Endless(SynchronousTestCase):
    """The test of a lab that lasts as long as the process."""

    def lasts(self) -> None:
        """Nothing is tested, and nothing cleaned up."""
