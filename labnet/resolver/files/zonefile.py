"""Zone files (RFC 1035, section 5) to RRsets (sans-IO).

A file is cut into its entries (a line, or the lines up to a closing parenthesis), so that one bad entry costs that
entry and no more. :mod:`~labnet.resolver.files.entries` reads any of them; lines with one record of the commonest
types, such as ``www 300 IN A 192.0.2.1``, are read here in a tenth of the time, and chunks of nothing but addresses by
:mod:`~labnet.resolver.files.zonefile_bulk` in a tenth of that. All share one :class:`~labnet.resolver.files.entries
.Scope`, so any of them may read any line.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from labnet.resolver.files.detect import without_mark
from labnet.resolver.files.entries import (
    UNKNOWN,
    EntryError,
    Scope,
    bounded,
    decoded,
    depth_of,
    name_of,
    read_record,
    seconds_of,
    shown,
    words_of,
)
from labnet.resolver.files.generate import generate
from labnet.resolver.files.included import Include, no_file
from labnet.resolver.files.problem import Problem
from labnet.resolver.files.zonefile_bulk import CHUNK, read_chunk
from labnet.resolver.records.special import is_invalid
from labnet.wire.names import LONGEST_NAME, ROOT
from labnet.wire.types import LONGEST_TTL, RRset, RRType

Add = Callable[[RRset], str | None]
"""Takes one RRset; gives None, or in one sentence why it was left out."""

AddAddresses = Callable[[list[bytes], list[int], list[bytes], set[bytes]], bool]
"""Takes keys, TTLs and IPv4 addresses, one of each for a name, and what stands behind the first labels of the keys.

False where that cannot be, and then none is taken.
"""

COMMON_LINE: Final = re.compile(
    rb"([a-z0-9_*-][a-z0-9_*./-]*)?[ \t]+"
    rb"(?:([0-9]{1,9})[ \t]+)?(?:in[ \t]+)?(?:([0-9]{1,9})[ \t]+)?"
    rb"(aaaa|a|ns|cname|ptr)[ \t]+([a-z0-9_*:.-][a-z0-9_*:./-]*)[ \t]*(?:;.*)?\r?\n?",
    re.IGNORECASE,
)
"""A line with one record of a common type, in the forms that need no look at escapes, quotes or parentheses."""

_BLANK = re.compile(rb"[ \t]*(?:;.*)?\r?\n?")

# The types of common lines; of an address, its family.
_TYPES: Final = {
    b"a": (RRType.A, socket.AF_INET),
    b"aaaa": (RRType.AAAA, socket.AF_INET6),
    b"ns": (RRType.NS, None),
    b"cname": (RRType.CNAME, None),
    b"ptr": (RRType.PTR, None),
}


def read_zone(
    content: bytes,
    add: Add,
    add_addresses: AddAddresses | None = None,
    checkpoint: Callable[[], None] = lambda: None,
    include: Include = no_file,
) -> list[Problem]:
    """Read a zone file, handing each record to ``add``; gives what is wrong in it.

    Where there is ``add_addresses`` it is handed many names with an IPv4 address each at a time. ``checkpoint`` is
    called every some thousand lines; what it raises ends the reading. ``include`` opens the files of ``$INCLUDE``.
    """
    master = MasterFile(add, add_addresses, checkpoint, include)
    master.read(without_mark(content))
    return master.problems


class MasterFile:
    """One zone file being read: every record goes to ``add``, what is wrong to :attr:`problems`."""

    def __init__(
        self, add: Add, add_addresses: AddAddresses | None, checkpoint: Callable[[], None], include: Include
    ) -> None:
        self.problems: list[Problem] = []
        self._add = add
        self._add_addresses = add_addresses
        self._checkpoint = checkpoint
        self._include = include
        self._scope = Scope()
        self._line = 0
        # Neighbours in a file mostly end alike: what stood behind the last first label, and its wire form.
        self._rest: bytes | None = None
        self._behind: bytes | None = None

    def read(self, content: bytes) -> None:
        """Read the whole file."""
        lines = io.BytesIO(content)
        while (start := lines.tell()) < len(content):
            self._checkpoint()
            end = content.rfind(b"\n", start, start + CHUNK) + 1 or len(content)
            if self._bulk(content[start:end]):
                lines.seek(end)
            while lines.tell() < end:
                self._next(lines)

    def _bulk(self, chunk: bytes) -> bool:
        """Read a chunk that has nothing but addresses; False leaves it, untouched, to be read line by line."""
        found = None if self._add_addresses is None else read_chunk(chunk, self._behind_label)
        if found is None or self._add_addresses is None:
            return False
        ttls = {text: int(text) for text in set(found.ttls) if text}
        if "" in found.ttls:
            ttl = self._scope.implicit_ttl
            if ttls or ttl is None:
                return False
            ttls = {"": ttl}
        each = [ttls[text] for text in found.ttls] if len(ttls) > 1 else [*ttls.values()] * len(found.keys)
        if not self._add_addresses(found.keys, each, found.addresses, found.parents):
            return False
        if found.ttls[-1]:
            self._scope.last_ttl = each[-1]
        self._line += len(found.keys)
        self._scope.owner = found.keys[-1]
        return True

    def _behind_label(self, rest: bytes) -> bytes | None:
        """The wire form of what stands behind a first label; None where the name has to be looked at by itself."""
        wire = self._wire(b"a" + rest)
        if wire is None:
            return None
        wire = wire[2:].lower()
        return None if is_invalid(wire) else wire

    def _next(self, lines: io.BytesIO) -> None:
        """Read the next entry."""
        self._line += 1
        raw = lines.readline()
        if self._common(raw) or _BLANK.fullmatch(raw):
            return
        entry, depth = [raw], depth_of(raw, 0)
        while depth > 0:
            more = lines.readline()
            if not more:
                break
            entry.append(more)
            depth = depth_of(more, depth)
        if depth > 0:
            self._problem("a parenthesis is opened here and never closed")
        else:
            self._any(b"".join(entry))
        self._line += len(entry) - 1

    def _common(self, raw: bytes) -> bool:
        """Read a line with one record of a common type; False leaves it, untouched, to :meth:`_any`."""
        match = COMMON_LINE.fullmatch(raw)
        if match is None:
            return False
        name, before, after, kind, value = match.groups()
        owner = self._scope.owner if name is None else self._wire(name)
        rrtype, family = _TYPES[kind.lower()]
        rdata = self._wire(value) if family is None else _address(family, value)
        if owner is None or rdata is None or (before is not None and after is not None):
            return False
        own = before or after
        ttl = self._scope.implicit_ttl if own is None else int(own)
        if ttl is None:
            return False
        self._scope.owner = owner
        if own is not None:
            self._scope.last_ttl = ttl
        self._hand_on(RRset(owner, rrtype, ttl, (rdata,)))
        return True

    def _wire(self, name: bytes) -> bytes | None:
        """The wire form of a name without escapes; None for :meth:`_any` to complain of."""
        if len(name) > LONGEST_NAME:
            return None
        label, dot, rest = name.partition(b".")
        if not dot:
            behind = None if self._scope.origin is UNKNOWN else self._scope.origin
        elif rest == self._rest:
            behind = self._behind
        else:
            behind = self._wire(rest) if rest else ROOT
            self._rest, self._behind = rest, behind
        if behind is None or not 0 < len(label) < 64:
            return None
        wire = b"%c%b%b" % (len(label), label, behind)
        return wire if len(wire) <= LONGEST_NAME else None

    def _any(self, raw: bytes) -> None:
        """Read an entry of any kind."""
        try:
            text = decoded(raw)
            if text.startswith("$"):
                self._direct(text)
            elif (rrset := read_record(text, self._scope)) is not None:
                self._hand_on(replace(rrset, ttl=self._bounded(rrset.ttl)))
        except EntryError as error:
            self._problem(str(error))

    def _direct(self, text: str) -> None:
        """Follow a directive."""
        word, *values = words_of(text)
        word = word.upper()
        if word == "$GENERATE":
            for record in generate(text):
                self._checkpoint()
                if not self._common(record.encode()) and (rrset := read_record(record, self._scope)) is not None:
                    self._hand_on(replace(rrset, ttl=self._bounded(rrset.ttl)))
        elif word == "$INCLUDE":
            self._read_included(text, values)
        elif word not in ("$ORIGIN", "$TTL"):
            raise EntryError(f"{shown(text)} cannot be read: zone file directive {word!r} is not allowed")
        elif len(values) != 1:
            raise EntryError(f"{shown(text)} cannot be read: one value stands behind {word}")
        elif word == "$ORIGIN":
            self._move_to(name_of(values[0], self._scope.origin))
        else:
            self._take_ttl(values[0])

    def _take_ttl(self, text: str) -> None:
        ttl = seconds_of(text)
        if ttl is None:
            raise EntryError(f"{shown(text)} behind $TTL is no number of seconds")
        self._scope.default_ttl = self._bounded(ttl)

    def _bounded(self, ttl: int) -> int:
        """A TTL as it counts; one that is too long is warned of."""
        if ttl > LONGEST_TTL:
            says = f"the TTL {ttl} is more than {LONGEST_TTL} seconds and counts as 0 (RFC 2181, section 8)"
            self._problem(says, warning=True)
        return bounded(ttl)

    def _read_included(self, text: str, values: list[str]) -> None:
        """Read the file that ``$INCLUDE`` names, below the origin that it gives; then all is as it was before."""
        if not 1 <= len(values) <= 2:
            raise EntryError(f"{shown(text)} cannot be read: write $INCLUDE FILE [ORIGIN]")
        path, content = self._include(values[0])
        included = MasterFile(self._add, self._add_addresses, self._checkpoint, self._include)
        included._scope = replace(self._scope)
        if len(values) == 2:
            included._move_to(name_of(values[1], self._scope.origin))
        included.read(without_mark(content))
        self.problems += [problem if problem.path else replace(problem, path=path) for problem in included.problems]

    def _move_to(self, origin: bytes) -> None:
        """Make ``origin`` that of the records to come."""
        if origin.endswith(UNKNOWN):
            raise EntryError("the name behind $ORIGIN is relative, and no origin is known: end it with a dot")
        self._scope.origin = origin
        self._rest = None

    def _hand_on(self, rrset: RRset) -> None:
        if says := self._add(rrset):
            self._problem(says)

    def _problem(self, says: str, warning: bool = False) -> None:
        self.problems.append(Problem(self._line, says, warning))


def _address(family: int, text: bytes) -> bytes | None:
    try:
        return socket.inet_pton(family, text.decode())
    except OSError:
        return None
