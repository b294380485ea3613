"""A list of names, as a file or the configuration has it, and what becomes of who asks for one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from labnet.resolver.filtering.names import NameSet
from labnet.resolver.filtering.networks import NetworkMap
from labnet.resolver.filtering.treatment import Treatment, TreatmentKind
from labnet.values.addresses import IPNetwork
from labnet.wire.names import text_of


class Verdict(NamedTuple):
    """What the list ``by`` wants done, and the ``entry`` of it that says so, as people read it."""

    by: str
    entry: str
    treatment: Treatment


@dataclass(slots=True)
class BlockList:
    """The list ``name``: ``names``, ``clients`` and ``answers`` (networks) lead to one of its ``treatments`` each.

    It counts for clients in the networks ``only_for``; None: for all. With ``asked_for`` the clients wish it so.
    ``clients`` are those that are treated so whatever they ask, ``answers`` are addresses in answers.
    """

    name: str
    only_for: tuple[IPNetwork, ...] | None = None
    asked_for: bool = False
    treatments: list[Treatment] = field(default_factory=list)
    names: NameSet = field(default_factory=NameSet)
    clients: NetworkMap = field(default_factory=NetworkMap)
    answers: NetworkMap = field(default_factory=NetworkMap)

    @property
    def allows(self) -> bool:
        """Whether it does nothing but except names from other lists."""
        return bool(self.treatments) and all(each.kind is TreatmentKind.PASS for each in self.treatments)

    def find(self, key: bytes) -> Verdict | None:
        """What it wants done with questions for ``key``."""
        match = self.names.find(key)
        if match is None:
            return None
        entry = text_of(match.key)
        return self._verdict(f"*.{entry}" if match.is_below else entry, match.number)

    def find_client(self, address: bytes) -> Verdict | None:
        """What it wants done with every question of the client at ``address`` (4 or 16 bytes)."""
        return self._of_network(self.clients, address)

    def find_address(self, addresses: Iterable[bytes]) -> Verdict | None:
        """What it wants done with an answer that has ``addresses`` (4 or 16 bytes each)."""
        if self.answers:
            for address in addresses:
                found = self._of_network(self.answers, address)
                if found is not None:
                    return found
        return None

    def _of_network(self, networks: NetworkMap, address: bytes) -> Verdict | None:
        found = networks.find(address)
        return None if found is None else self._verdict(str(found[0]), found[1])

    def _verdict(self, entry: str, number: int) -> Verdict:
        return Verdict(self.name, entry, self.treatments[number])
