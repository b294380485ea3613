"""Block lists as files: a name a line, or lines as in a hosts file (sans-IO).

Such lists come from elsewhere and have some lines that nobody can read: each is passed over, and they are counted. A
chunk of lines of the common form is read in a few steps for all of it, any other one line by line.
"""

from __future__ import annotations

import io
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

from labnet.resolver.files.detect import without_mark
from labnet.resolver.files.entries import shown
from labnet.resolver.files.problem import Problem
from labnet.resolver.filtering.names import NameSet
from labnet.wire.names import LONGEST_NAME, ROOT, key_of, wire_of

CHUNK: Final = 1 << 16
"""Bytes that are looked at together."""

_IPV6: Final = ("localhost", "loopback", "localnet", "mcastprefix", "allnodes", "allrouters", "allhosts")
_IPV4: Final = ("localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0", "127.0.0.1")
OF_HOSTS: Final = frozenset(map(key_of, (*_IPV4, *[f"ip6-{what}" for what in _IPV6])))
"""Names at the head of every hosts file; none is meant to be blocked."""

_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_."
_COMMENT = re.compile(rb"[ \t]*#[^\n]*")
_BLANK_LINES = re.compile(rb"\n[ \t\n]*\n")
_ADDRESS = re.compile(rb"\n(?:0\.0\.0\.0|127\.0\.0\.1|::1?)[ \t]+")
_LENGTHS: Final = [bytes((length,)) for length in range(64)]
_REMEMBERED: Final = 50_000


class SkippedLines:
    """Counts the lines of a file that cannot be read, and knows the first of them."""

    def __init__(self) -> None:
        self._first: Problem | None = None
        self._count = 0

    def add(self, line: int, says: str) -> None:
        """The ``line`` is passed over, for a reason in a few words."""
        self._count += 1
        if self._first is None:
            self._first = Problem(line, says, warning=True)

    def problems(self) -> list[Problem]:
        """One for all of them."""
        if self._first is None:
            return []
        more = f", and {self._count - 1} more lines" if self._count > 1 else ""
        return [Problem(self._first.line, f"{self._first.says}; the line was skipped{more}", warning=True)]


class Suffixes(dict[bytes, bytes]):
    """The wire forms of what stands behind the first labels of names, which many share. Raises ValueError."""

    def __init__(self) -> None:
        super().__init__({b"": ROOT})

    def __missing__(self, rest: bytes) -> bytes:
        label, _, further = rest.partition(b".")
        if not 0 < len(label) < 64:
            raise ValueError("a label is empty, or too long")
        wire = _LENGTHS[len(label)] + label + self[further]
        if len(self) >= _REMEMBERED:
            self.clear()
            self[b""] = ROOT
        self[rest] = wire
        return wire

    def keys_of(self, names: Collection[bytes]) -> list[bytes]:
        """The keys of ``names``, which are in small letters and have no escapes."""
        if not names:
            return []
        if max(map(len, names)) > LONGEST_NAME - 2:
            raise ValueError("a name is too long")
        parted = [name.partition(b".") for name in names]
        if not all(label for label, _, _ in parted):
            raise ValueError("a label is empty")
        try:
            return [_LENGTHS[len(label)] + label + self[rest] for label, _, rest in parted]
        except IndexError:
            raise ValueError("a label is too long") from None


class NamesFile:
    """Reads a list into ``names``, each with ``number``; with ``subdomains`` each stands for all below it too."""

    def __init__(self, names: NameSet, number: int = 0, subdomains: bool = False) -> None:
        self.skipped = SkippedLines()
        self._names = names
        self._number = number
        self._subdomains = subdomains
        self._suffixes = Suffixes()

    def read(self, content: bytes, hosts: bool, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Read the whole file, of lines as in ``hosts`` files or of names; ``checkpoint`` is called now and then."""
        content = without_mark(content)
        self._names.expect(content.count(b"\n"), self._subdomains)
        start, line = 0, 0
        while start < len(content):
            checkpoint()
            end = content.rfind(b"\n", start, start + CHUNK) + 1 or content.find(b"\n", start) + 1 or len(content)
            chunk = content[start:end]
            if not self._take_chunk(chunk, hosts):
                for number, raw in enumerate(io.BytesIO(chunk), line + 1):
                    self._take_line(number, raw, hosts)
            start, line = end, line + chunk.count(b"\n")

    def take(self, texts: Iterable[str]) -> None:
        """Take names as the configuration has them."""
        for text in texts:
            self._take(0, text)

    def _take_chunk(self, chunk: bytes, hosts: bool) -> bool:
        """Take all names of ``chunk``; False, and none is taken, where it has to be read line by line."""
        text = chunk.lower().replace(b"\r\n", b"\n")
        if b"#" in text:
            text = _COMMENT.sub(b"", text)
        text = b"\n" + _BLANK_LINES.sub(b"\n", text).strip(b"\n")
        begin = _ADDRESS.match(text) if hosts else None
        if hosts and begin is None:
            return False
        _, *names = text.split(b"\n" if begin is None else begin[0])
        if text == b"\n":
            return True  # there is nothing in it
        below: list[bytes] = []
        if not hosts and (b"*" in text or b"\n." in text or text.startswith(b".")):
            below = [name.removeprefix(b"*")[1:] for name in names if name.startswith((b".", b"*."))]
            names = [name for name in names if not name.startswith((b".", b"*."))]
        if b"".join(names + below).translate(None, _PLAIN):
            return False
        try:
            keys, keys_below = self._suffixes.keys_of(names), self._suffixes.keys_of(below)
        except ValueError:
            return False
        if hosts and not OF_HOSTS.isdisjoint(keys):
            keys = [key for key in keys if key not in OF_HOSTS]
        self._add(keys, self._subdomains)
        self._add(keys_below, True)
        return True

    def _take_line(self, number: int, raw: bytes, hosts: bool) -> None:
        try:
            words = raw.partition(b"#")[0].decode().split()
        except UnicodeDecodeError:
            self.skipped.add(number, "the line is not UTF-8")
            return
        if not words or (words[0].startswith("!") and not hosts):  # as some lists have comments
            return
        if hosts:
            try:
                ipaddress.ip_address(words[0].partition("%")[0])
            except ValueError:
                self.skipped.add(number, f"{shown(words[0])} is no address, which a line of a hosts file begins with")
                return
            for word in words[1:]:
                if key_of(word) not in OF_HOSTS:
                    self._take(number, word)
        elif len(words) > 1:
            self.skipped.add(number, f"{shown(' '.join(words))} is more than one name")
        else:
            self._take(number, words[0])

    def _take(self, number: int, text: str) -> None:
        stem = text.removeprefix("*")
        is_below = stem.startswith(".") and len(stem) > 1
        name = stem[1:] if is_below else text
        wire = wire_of(name)
        if wire is None or wire == ROOT or "*" in name or not text.isprintable():
            self.skipped.add(number, f"{shown(text)} is no name")
            return
        self._add([wire.lower()], is_below or self._subdomains)

    def _add(self, keys: list[bytes], below: bool) -> None:
        if below:
            self._names.add_below(keys, self._number, itself=True)
        else:
            self._names.add(keys, self._number)
