"""The files of one resolver, read: records, what was learned, hints; everything that is wrong in them at once."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Final

from labnet.config.resolver import ResolverConfig
from labnet.dialects.codec import place_of
from labnet.dialects.library import find as find_dialect
from labnet.dialects.model import Dialect
from labnet.dialects.reader import DialectError
from labnet.net.addresses import address_text
from labnet.net.kernel.memory import trim
from labnet.net.kernel.regular import open_regular, read_regular
from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import CachedAnswer
from labnet.resolver.cache.log import LogStart
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX
from labnet.resolver.cache.policy import capped, entry_of_mapping
from labnet.resolver.cache.tail import Tail, TailReader, authors_lines
from labnet.resolver.files.course import Records, parse_lines, parse_records
from labnet.resolver.files.detect import kind_of, without_mark
from labnet.resolver.files.dialect import parse_forms
from labnet.resolver.files.entries import EntryError, Scope, read_record
from labnet.resolver.files.hosts import read_hosts
from labnet.resolver.files.included import IncludedFiles
from labnet.resolver.files.problem import Problem
from labnet.resolver.files.resolv_conf import parse_resolv_conf
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.loading import read_list
from labnet.resolver.records.occluded import occluded
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.resolver.records.zonefile_records import ZoneFileRecords
from labnet.values.addresses import IPNetwork
from labnet.values.listeners import TLSListen
from labnet.values.servers import ParentAddress
from labnet.values.texts import RecordsFile
from labnet.wire.names import ROOT, key_of, text_of
from labnet.wire.soa import SOA, soa_numbers
from labnet.wire.types import Mapping, Referral, RRType, Security

if TYPE_CHECKING:
    from labnet.net.tls.credentials import Credentials
    from labnet.resolver.files.root_hints import Hints
    from labnet.resolver.files.trust_anchors import TrustAnchors

RESOLV_CONF = "/etc/resolv.conf"

LONGEST: Final = 300.0
"""Seconds that reading all files of a lab may take."""

_MOST_SAID: Final = 5
"""Problems in a zone of another server that are told of one by one."""

_LARGE: Final = 4_000_000
"""Bytes of a records file that is a log from which its learned lines are read from the end."""


class ReadingEnded(Exception):
    """The reading of files was cancelled or took too long; the text says which."""


class Reading:
    """The reading of a lab's files, in one thread; another one may cancel it, and ask which file it is at.

    ``monotonic`` is the clock by which it takes :data:`LONGEST` seconds at most.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = ""
        """The file that is being read."""
        self._monotonic = monotonic
        self._until = monotonic() + LONGEST
        self._is_cancelled = False

    def cancel(self) -> None:
        """Have it end at its next checkpoint."""
        self._is_cancelled = True

    def checkpoint(self) -> None:
        """Raise :class:`ReadingEnded` where the reading is to end; to be called now and then."""
        if self._is_cancelled:
            raise ReadingEnded("the reading was cancelled")
        if self._monotonic() > self._until:
            raise ReadingEnded(f"{self.path}: reading all files takes more than {LONGEST:g} s; make them smaller")


@dataclass(slots=True)
class Loaded:
    """What the files of one resolver hold; ``cached`` is what its logs do, the newest of each last.

    ``referrals`` are the servers that the records name for the names of a domain; ``servers`` has those of them that
    the resolver asks itself, by the domain's key. ``lists`` are those that block names, in their order.

    ``ca`` are the authorities (PEM) that encrypted parents are checked by, where those are not the system's;
    ``credentials`` are what encrypted listeners show, by the paths of certificate and key. Without
    ``anchors`` nothing is validated.

    ``errors`` prevent its start, ``warnings`` do not; each names file and line.
    """

    zone: Zone
    records: int = 0
    dialect: Dialect = field(default_factory=lambda: find_dialect("json"))
    referrals: list[Referral] = field(default_factory=list)
    servers: list[tuple[bytes, ParentAddress]] = field(default_factory=list)
    cached: list[CachedAnswer] = field(default_factory=list)
    course_log: LogStart = field(default_factory=LogStart)
    dns_log: LogStart = field(default_factory=LogStart)
    lists: list[BlockList] = field(default_factory=list)
    hints: Hints | None = None
    anchors: TrustAnchors | None = None
    system: tuple[str, ...] = ()
    ca: bytes | None = None
    credentials: dict[tuple[str, str], Credentials] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, path: str, problems: Iterable[Problem], harmless: bool = False) -> None:
        """Take up what is wrong in the file at ``path``; ``harmless`` makes warnings of it."""
        for problem in problems:
            of = problem.path or path
            where = f"{of}:{problem.line}" if problem.line else of
            (self.warnings if harmless or problem.warning else self.errors).append(f"{where}: {problem.says}")


def load_files(config: ResolverConfig, now: float, reading: Reading | None = None) -> Loaded:
    """Read every file that ``config`` names; ``now`` (epoch seconds) is when static records count as loaded.

    Raises :class:`ReadingEnded` where ``reading`` is cancelled or takes too long.
    """
    loader = _Loader(config, now, reading or Reading())
    loader.load()
    trim()  # what the reading took is a tenth of all, of a million records
    return loader.loaded


def fill(cache: Cache, loaded: Loaded, now: float, course_ttl_max: int) -> None:
    """Put what the logs hold and is valid at ``now`` (epoch seconds) into ``cache``; ``loaded`` has none of it then.

    What a course parent said lives for ``course_ttl_max`` seconds at most. Where replies are validated, what was not
    when it was learned does not count.
    """
    cached, loaded.cached = loaded.cached, []
    for each in cached:
        question, entry = capped(each, course_ttl_max)
        if not counts(entry, loaded.anchors is not None):
            continue
        # Of one question the last line counts, even if its time is over.
        cache.forget(question)
        # What is dated later than now was learned before the clock was set back: its lifetime begins now at the latest.
        entry.since = min(entry.since, now)
        if entry.is_valid(now):
            cache.put(question, entry)


def counts(entry: Entry, validates: bool) -> bool:
    """Whether what was learned as ``entry`` counts where replies are validated, or not; it is unvalidated then."""
    if not validates and entry.security:
        entry.content = replace(entry.answer, security=Security.INDETERMINATE)
    return not validates or entry.from_course or bool(entry.security)


def every_parent(config: ResolverConfig) -> list[ParentAddress]:
    """The parents of ``config``, those of single domains included."""
    return [*config.parents, *(parent for parents in config.forward.values() for parent in parents)]


def forgeable_parents(config: ResolverConfig) -> list[str]:
    """A warning for each course parent on another machine, where ``config`` serves others than this machine too.

    Replies in the name of a loopback address do not come from outside.
    """
    listens = [ipaddress.ip_address(listener.interface) for listener in config.listen]
    served = config.allow if config.recursion is None else config.recursion
    if all(map(_is_loopback, listens)) or all(map(_is_loopback, served)):
        return []
    parents = dict.fromkeys(
        address_text(parent.host, parent.port)
        for parent in every_parent(config)
        if parent.kind == "text" and not _is_loopback(ipaddress.ip_address(parent.host))
    )
    return [
        f"text:{parent}: anybody can forge what this parent says, and others than this machine are served: use a dns: "
        "parent, or have recursion name this machine alone"
        for parent in parents
    ]


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address | IPNetwork) -> bool:
    return address.is_loopback


class _Loader:
    """Reads the files of the resolver with this ``config`` into :attr:`loaded`."""

    def __init__(self, config: ResolverConfig, now: float, reading: Reading) -> None:
        self.loaded = Loaded(Zone(ZoneData([key_of(zone) for zone in config.every_zone], now)))
        self._config = config
        self._now = now
        self._reading = reading
        self._files: dict[bytes | None, str] = {}
        """The zone file of each authoritative zone that has an SOA."""
        self._tail = TailReader(now, config.cache_bytes, reading.checkpoint)

    def load(self) -> None:
        """Read all of them."""
        config, data = self._config, self.loaded.zone.data
        try:
            self.loaded.dialect = find_dialect(config.dialect)
        except DialectError as error:
            self.loaded.errors += error.problems
        for file in config.records:
            self._load_records(file)
        data.unavailable = frozenset(key for key in map(key_of, config.secondary) if not self._load_secondary(key))
        data.finish(config.reverse)
        self.loaded.records = data.written
        for zone, says in occluded(data):
            path = self._files.get(zone)
            self.loaded.warnings.append(says if path is None else f"{path}: {says}")
        if config.learned is not None:
            if config.learned not in {file.path for file in config.records}:
                self._load_course_log(config.learned)
            tail = self._log(config.learned + DNS_LOG_SUFFIX, self._tail.dns)
            if tail is not None:
                self.loaded.dns_log = tail.start
        for name, table in config.block.items():
            content = b"" if table.file is None else self._read(table.file)
            if content is not None:
                found, problems = read_list(name, table, content, self._reading.checkpoint)
                self.loaded.lists.append(found)
                self.loaded.note(table.file or name, problems)
        self.loaded.warnings += forgeable_parents(config)
        encrypted = [listen.files for listen in config.listen if isinstance(listen, TLSListen) and listen.certificate]
        for files in dict.fromkeys(encrypted):
            self._load_credentials(*files)
        if config.ca is not None:
            self._load_authorities(config.ca)
        kinds = {parent.kind for parent in every_parent(config)}
        if "root" in kinds:
            self._load_hints(config.hints)
        if config.dnssec != "off":
            self._load_anchors(config.trust_anchors)
        if "system" in kinds:
            self._load_system()

    def _read(self, path: str) -> bytes | None:
        """The content of the file at ``path``; None where it has none, which is an error then."""
        self._reading.path = path
        try:
            return read_regular(path, self._reading.checkpoint)
        except FileNotFoundError:
            self.loaded.errors.append(f"{path}: there is no such file")
        except OSError as error:
            self.loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
        return None

    def _log(self, path: str, read: Callable[[BinaryIO], Tail]) -> Tail | None:
        """Take up what is ``read`` of the log at ``path``; None where there is none, or it cannot be read."""
        self._reading.path = path
        try:
            with open(open_regular(path), "rb", buffering=0) as file:
                tail = read(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.loaded.errors.append(f"{path}: cannot be read: {error.strerror}")
            return None
        self.loaded.cached += tail.cached
        # No author mends a log: a line in it that cannot be read costs that line, not the start.
        self.loaded.note(path, tail.problems, harmless=True)
        return tail

    def _load_course_log(self, path: str, is_records: bool = False) -> None:
        tail = self._log(path, lambda file: self._tail.course(file, os.path.basename(path), is_records))
        if tail is not None:
            self.loaded.course_log = tail.start

    def _load_records(self, file: RecordsFile) -> None:
        if self._is_log_of_lines(file) and _size_of(file.path) > _LARGE:
            self._load_large_course(file.path)
            return
        content = self._read(file.path)
        if content is None:
            return
        loaded, checkpoint = self.loaded, self._reading.checkpoint
        is_log = self._config.learned == file.path
        is_forms = loaded.dialect.records.like != "course"
        kind = file.kind or ("course" if is_log or is_forms else kind_of(file.path, content))
        if kind == "course" and is_forms:
            self._load_forms(file.path, content)
        elif kind == "course":
            records = parse_records(content, self._now, is_log, checkpoint, self._missing_ttl)
            self._take_records(file.path, records, is_log)
        elif kind == "hosts":
            loaded.note(file.path, read_hosts(content, loaded.zone.data.add_host, checkpoint))
        else:
            self._load_zone(file.path, content)

    def _load_zone(self, path: str, content: bytes, default_ttl: int | None = None) -> None:
        """Read a master file; with ``default_ttl`` (seconds) its names need no origin and its records no TTL."""
        loaded, checkpoint = self.loaded, self._reading.checkpoint
        loaded.zone.data.records.expect(content.count(b"\n"))
        own = ZoneFileRecords(loaded.zone.data)
        include = IncludedFiles(path, lambda included: read_regular(included, checkpoint))
        head = b"" if default_ttl is None else b"$ORIGIN .\n$TTL %d\n" % default_ttl
        problems = read_zone(head + without_mark(content), own.add, own.add_addresses, checkpoint, include)
        self._files |= dict.fromkeys(own.own, path)
        lines = head.count(b"\n")
        loaded.note(path, [replace(each, line=max(0, each.line - lines)) for each in problems] if lines else problems)

    def _load_secondary(self, key: bytes) -> bool:
        """Read the zone with this key that another server has given; whether there is one that has not expired."""
        path = self._config.zone_file(key)
        try:
            current_at = os.stat(path).st_mtime
        except OSError:
            return False
        content = self._read(path)
        soa = None if content is None else _soa_at_head(content, key)
        if content is None or soa is None:
            self.loaded.warnings.append(f"{path}: does not begin with the SOA of {text_of(key)}: it is had anew")
            return False
        if self._now > current_at + soa.lifetime - 1:  # a second early, as the time of a file is not exact
            return False
        problems = len(self.loaded.errors)
        self._load_zone(path, content)
        # What another server has given is not this lab's to mend, and keeps nothing from starting.
        found = self.loaded.errors[problems:]
        self.loaded.warnings += found[:_MOST_SAID]
        if len(found) > _MOST_SAID:
            self.loaded.warnings.append(f"{path}: {len(found) - _MOST_SAID} more like that")
        del self.loaded.errors[problems:]
        return True

    def _is_log_of_lines(self, file: RecordsFile) -> bool:
        is_of_lines = file.kind in ("course", None) and self.loaded.dialect.records.like == "course"
        return is_of_lines and self._config.learned == file.path

    @property
    def _missing_ttl(self) -> int | None:
        """The TTL of a line that has none, in seconds; None where each has to have one."""
        return self._config.default_ttl if self.loaded.dialect.records.may_lack_ttl else None

    def _load_large_course(self, path: str) -> None:
        """Read a course's file that is a log: what was learned from its end, of the rest a part at a time."""
        self._load_course_log(path, is_records=True)
        checkpoint = self._reading.checkpoint
        try:
            with open(open_regular(path), "rb", buffering=0) as file:
                lines = authors_lines(file, checkpoint)
                records = parse_lines(lines, self._now, True, checkpoint, self._missing_ttl)
        except OSError:
            return  # it was said of the log
        self._take_records(path, records, is_log=True)

    def _take_records(self, path: str, records: Records, is_log: bool) -> None:
        loaded = self.loaded
        self._add(path, records.static)
        loaded.note(path, records.problems)
        source = os.path.basename(path)
        loaded.cached += [entry_of_mapping(key_of(mapping.name), mapping, source) for mapping in records.learned]
        if is_log and records.learned:
            loaded.course_log = LogStart(loaded.course_log.lines + len(records.learned), records.cut)

    def _load_forms(self, path: str, content: bytes) -> None:
        loaded = self.loaded
        if loaded.dialect.records.like == "master":
            self._load_zone(path, content, default_ttl=self._config.default_ttl)
            return
        checkpoint = self._reading.checkpoint
        records = parse_forms(content, loaded.dialect, self._now, self._config.default_ttl, checkpoint)
        self._add(path, records.static)
        loaded.referrals += records.referrals
        loaded.note(path, records.problems)
        if loaded.dialect.walk in ("server", "asked"):
            loaded.note(path, self._find_servers(records.referrals))

    def _find_servers(self, referrals: Iterable[Referral]) -> Iterator[Problem]:
        """Find the addresses of the servers that the resolver is to ask; those without one are warnings."""
        config = self._config
        for referral in referrals:
            host, port = place_of(referral.target, config.referral_port or config.listen[0].port)
            try:
                address = str(ipaddress.ip_address(host))
            except ValueError:
                try:
                    address = str(socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)[0][4][0])
                except (OSError, UnicodeError):
                    says = f"{host!r} is no address, and the system knows none for it: names there are not asked for"
                    yield Problem(0, says, warning=True)
                    continue
            domain = referral.suffix.lstrip(".")
            server = ParentAddress(kind="text", host=address, port=port)
            self.loaded.servers.append((key_of(domain) if domain else ROOT, server))

    def _add(self, path: str, static: Iterable[Mapping]) -> None:
        for mapping in static:
            left_out = self.loaded.zone.data.add_mapping(mapping)
            if left_out is not None:
                self.loaded.note(path, [Problem(0, left_out, warning=True)])

    def _load_credentials(self, certificate: str, key: str) -> None:
        from labnet.net.tls.credentials import BadCredentials, read_credentials  # few labs need TLS

        chain, secret = self._read(certificate), self._read(key)
        if chain is None or secret is None:
            return
        try:
            found = read_credentials(chain, secret)
        except BadCredentials as error:
            self.loaded.errors.append(f"{key if error.of_key else certificate}: {error}")
            return
        self.loaded.credentials[certificate, key] = found
        doubt = found.doubt(self._now)
        if doubt is not None:
            self.loaded.warnings.append(f"{certificate}: {doubt}")

    def _load_authorities(self, path: str) -> None:
        from labnet.net.tls.client import check_authorities  # few labs need TLS
        from labnet.net.tls.credentials import BadCredentials

        content = self._read(path)
        if content is None:
            return
        try:
            check_authorities(content)
        except BadCredentials as error:
            self.loaded.errors.append(f"{path}: {error}")
        self.loaded.ca = content

    def _load_anchors(self, path: str | None) -> None:
        from labnet.resolver.files.trust_anchors import builtin_anchors, parse_anchors  # few labs validate

        content = b"" if path is None else self._read(path)
        if path is None or content is None:
            self.loaded.anchors = builtin_anchors()
            return
        self.loaded.anchors = parse_anchors(content, path)
        self.loaded.note(path, self.loaded.anchors.problems)

    def _load_hints(self, path: str | None) -> None:
        from labnet.resolver.files.root_hints import builtin_hints, parse_hints  # most labs forward

        if path is None:
            self.loaded.hints = builtin_hints()
            return
        content = self._read(path)
        if content is not None:
            self.loaded.hints = parse_hints(content)
            self.loaded.note(path, self.loaded.hints.problems)

    def _load_system(self) -> None:
        loaded = self.loaded
        # At boot it may be a link to nowhere, or empty, until the network is there.
        content = self._read(RESOLV_CONF) if os.path.exists(RESOLV_CONF) else b""
        if content is not None:
            system = parse_resolv_conf(content)
            loaded.system = system.addresses
            loaded.note(RESOLV_CONF, system.problems, harmless=True)
            if not loaded.system:
                loaded.warnings.append(f"{RESOLV_CONF}: names no server, so nobody is asked until it does")


def _soa_at_head(content: bytes, key: bytes) -> SOA | None:
    """The SOA in the second line of a file that a transfer has written, if it is that of the zone with this key."""
    try:
        rrset = read_record(content.split(b"\n", 2)[1].decode(), Scope(origin=ROOT))
    except (EntryError, IndexError, UnicodeDecodeError):
        return None
    is_its = rrset is not None and (rrset.key, rrset.rrtype) == (key, RRType.SOA)
    return soa_numbers(rrset.rdatas[0]) if rrset is not None and is_its else None


def _size_of(path: str) -> int:
    """Bytes of the file at ``path``; 0 where there is none, which is said when it is read."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
