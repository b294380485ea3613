"""Response policy zones (RPZ, draft-vixie-dnsop-dns-rpz) as files: names and networks, and what is done about them.

The owner of a record, below the zone's own name, is the trigger, its data are the action. Those kinds of triggers are
taken that can be looked at without asking a parent more than a client wants to know.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from labnet.resolver.files.detect import without_mark
from labnet.resolver.files.entries import EntryError
from labnet.resolver.files.included import no_file
from labnet.resolver.files.zonefile import MasterFile
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.names_file import SkippedLines, Suffixes
from labnet.resolver.filtering.networks import NetworkMap
from labnet.resolver.filtering.treatment import TTL, Treatment, TreatmentKind
from labnet.values.addresses import IPNetwork
from labnet.wire.names import ROOT, is_below, key_of, labels, text_of
from labnet.wire.types import RRset, RRType

ORIGIN: Final = key_of("rpz")
"""The zone's name where the file says none."""

_WILDCARD: Final = b"\x01*"
_ACTIONS: Final = {
    ROOT: TreatmentKind.NXDOMAIN,
    _WILDCARD + ROOT: TreatmentKind.NODATA,
    key_of("rpz-passthru"): TreatmentKind.PASS,
    key_of("rpz-drop"): TreatmentKind.DROP,
}
_KINDS: Final = list(dict.fromkeys(_ACTIONS.values()))
_REFUSED: Final = {
    b"rpz-nsip": "triggers on the addresses of name servers (rpz-nsip) are not supported",
    b"rpz-nsdname": "triggers on the names of name servers (rpz-nsdname) are not supported",
}
_OF_DNSSEC: Final = frozenset((46, 47, 48, 50, 51))
_LINE: Final = re.compile(
    rb"[a-z0-9_.*-]+([ \t]+(?:[0-9]{1,9}[ \t]+)?(?:in[ \t]+)?cname[ \t]+"
    rb"(\.|\*\.|rpz-passthru\.|rpz-drop\.)[ \t]*\r?\n)",
    re.IGNORECASE,
)
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_."


class PolicyZone(MasterFile):
    """Reads a zone into ``block_list``: what it does is among its treatments then."""

    def __init__(self, block_list: BlockList, checkpoint: Callable[[], None] = lambda: None) -> None:
        super().__init__(_nowhere, None, checkpoint, no_file)
        self._scope.origin = ORIGIN
        self._scope.default_ttl = TTL
        self.skipped = SkippedLines()
        self._list = block_list
        self._list.treatments = [Treatment(kind) for kind in _KINDS]
        self._own: dict[bytes, int] = {}
        self._apex: bytes | None = None
        self._suffixes = Suffixes()

    def read(self, content: bytes) -> None:
        """Read the whole file; what cannot be read is among what was :attr:`skipped`."""
        content = without_mark(content)
        self._list.names.expect(content.count(b"\n") // 2, below=False)
        super().read(content)
        for problem in self.problems:
            self.skipped.add(problem.line, problem.says)

    def _bulk(self, chunk: bytes) -> bool:
        """Take a chunk of lines that differ in their names alone; False leaves it to be read line by line."""
        first = _LINE.match(chunk)
        if first is None or self._apex is None or self._scope.origin.lower() != self._apex:
            return False
        names = chunk.lower().split(first[1].lower())
        below = [name[2:] for name in names if name.startswith(b"*.")]
        alone = [name for name in names[:-1] if not name.startswith(b"*.")]
        if names[-1] or b".rpz-" in chunk or b"".join(alone + below).translate(None, _PLAIN):
            return False
        if b".\n" in b"\n".join(names):
            return False  # a name that is written whole
        try:
            keys, keys_below = self._suffixes.keys_of(alone), self._suffixes.keys_of(below)
            last = self._suffixes.keys_of([names[-2].removeprefix(b"*.")])[0][:-1] + self._apex
        except ValueError:
            return False
        number = _KINDS.index(_ACTIONS[key_of(first[2].decode())])
        self._list.names.add(keys, number)
        self._list.names.add_below(keys_below, number)
        self._line += len(names) - 1
        self._scope.owner = _WILDCARD + last if names[-2].startswith(b"*.") else last
        return True

    def _direct(self, text: str) -> None:
        if text.upper().startswith("$GENERATE"):
            raise EntryError("$GENERATE is refused here: who publishes the list could fill the memory by it")
        super()._direct(text)

    def _hand_on(self, rrset: RRset) -> None:
        if says := self._left_out(rrset):
            self._problem(says)

    def _left_out(self, rrset: RRset) -> str | None:
        """Take ``rrset``; gives why it is left out, None where it is not."""
        key = rrset.key
        if self._apex is None:
            self._apex = key if rrset.rrtype == RRType.SOA else self._scope.origin.lower()
        if key == self._apex or rrset.rrtype in _OF_DNSSEC:
            return None
        if not is_below(key, self._apex):
            return f"{text_of(rrset.name)} is not in the policy zone {text_of(self._apex)}"
        trigger = key[: -len(self._apex)] + ROOT
        last = list(labels(trigger))[-1]
        if last in _REFUSED:
            return _REFUSED[last]
        networks = {b"rpz-ip": self._list.answers, b"rpz-client-ip": self._list.clients}.get(last)
        if networks is None and last.startswith(b"rpz-"):
            return f"{text_of(trigger)} is no kind of trigger"
        return self._take(trigger, networks, rrset)

    def _take(self, trigger: bytes, networks: NetworkMap | None, rrset: RRset) -> str | None:
        number = self._number(trigger, rrset)
        if isinstance(number, str):
            return number
        if networks is not None:
            try:
                networks.add(network_of(trigger), number)
            except ValueError:
                return f"{text_of(trigger)} is no network: write as 24.0.2.0.192 for 192.0.2.0/24"
        elif trigger.startswith(_WILDCARD):
            self._list.names.add_below([trigger[len(_WILDCARD) :]], number)
        else:
            self._list.names.add([trigger], number)
        return None

    def _number(self, trigger: bytes, rrset: RRset) -> int | str:
        """The treatment that ``rrset`` asks for; or why there is none."""
        if rrset.rrtype == RRType.CNAME:
            target = rrset.rdatas[0].lower()
            kind = (
                TreatmentKind.PASS if target == trigger else _ACTIONS.get(target)
            )  # an older way to write rpz-passthru
            if kind is not None:
                return _KINDS.index(kind)
            if list(labels(target))[-1].startswith(b"rpz-"):
                return f"the action {text_of(target)} is not supported"
        number = self._own.get(trigger)
        if number is None:
            number = self._own[trigger] = len(self._list.treatments)
            self._list.treatments.append(Treatment(TreatmentKind.DATA))
        self._list.treatments[number].merge(rrset.rrtype, rrset.ttl, rrset.rdatas)
        return number


def _nowhere(rrset: RRset) -> None:
    """Records go to :meth:`PolicyZone._hand_on`; a method of its own, kept by it, would be a cycle."""


def network_of(trigger: bytes) -> IPNetwork:
    """The network that a trigger names: its prefix length, then its address from the end. Raises ValueError."""
    length, *words = [label.decode("ascii") for label in labels(trigger)][:-1]
    words.reverse()
    if len(words) == 4 and "zz" not in words:
        return ipaddress.ip_network(f"{'.'.join(words)}/{length}")
    text = ":".join("" if word == "zz" else word for word in words)
    text = (":" if text.startswith(":") else "") + text + (":" if text.endswith(":") else "")
    return ipaddress.ip_network(f"{text}/{length}")
