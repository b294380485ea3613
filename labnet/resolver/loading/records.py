"""The records files of a resolver, of every kind, and the zones that it has from other servers."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from labnet.config.resolver import ResolverConfig
from labnet.dialects.codec import place_of
from labnet.net.kernel.regular import open_regular, read_regular
from labnet.resolver.cache.log import LogStart
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.resolver.cache.tail import authors_lines
from labnet.resolver.files.course import Records, parse_lines, parse_records
from labnet.resolver.files.detect import kind_of, without_mark
from labnet.resolver.files.dialect import parse_forms
from labnet.resolver.files.entries import EntryError, Scope, read_record
from labnet.resolver.files.hosts import read_hosts
from labnet.resolver.files.included import IncludedFiles
from labnet.resolver.files.problem import Problem
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.loading.opened import OpenedFiles
from labnet.resolver.records.zonefile_records import ZoneFileRecords
from labnet.values.servers import ParentAddress
from labnet.values.texts import RecordsFile
from labnet.wire.names import ROOT, key_of, text_of
from labnet.wire.soa import SOA, soa_numbers
from labnet.wire.types import Mapping, Referral, RRType

_MOST_SAID: Final = 5
"""Problems in a zone of another server that are told of one by one."""


_LARGE: Final = 4_000_000
"""Bytes of a records file that is a log from which its learned lines are read from the end."""


class RecordsLoader:
    """Reads the records of the resolver with this ``config`` from ``files``, at ``now`` (epoch seconds)."""

    def __init__(self, config: ResolverConfig, now: float, files: OpenedFiles) -> None:
        self.loaded = files.loaded
        self.zone_files: dict[bytes | None, str] = {}
        """The zone file of each authoritative zone that has an SOA."""
        self._config = config
        self._now = now
        self._files = files

    def load(self, file: RecordsFile) -> None:
        """Read one records file."""
        if self._is_log_of_lines(file) and _size_of(file.path) > _LARGE:
            self._load_large_course(file.path)
            return
        content = self._files.read(file.path)
        if content is None:
            return
        loaded, checkpoint = self.loaded, self._files.checkpoint
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
        loaded, checkpoint = self.loaded, self._files.checkpoint
        loaded.zone.data.records.expect(content.count(b"\n"))
        own = ZoneFileRecords(loaded.zone.data)
        include = IncludedFiles(path, lambda included: read_regular(included, checkpoint))
        head = b"" if default_ttl is None else b"$ORIGIN .\n$TTL %d\n" % default_ttl
        problems = read_zone(head + without_mark(content), own.add, own.add_addresses, checkpoint, include)
        self.zone_files |= dict.fromkeys(own.own, path)
        lines = head.count(b"\n")
        loaded.note(path, [replace(each, line=max(0, each.line - lines)) for each in problems] if lines else problems)

    def load_secondary(self, key: bytes) -> bool:
        """Read the zone with this key that another server has given; whether there is one that has not expired."""
        path = self._config.zone_file(key)
        try:
            current_at = os.stat(path).st_mtime
        except OSError:
            return False
        content = self._files.read(path)
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
        self._files.course_log(path, is_records=True)
        checkpoint = self._files.checkpoint
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
        checkpoint = self._files.checkpoint
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
