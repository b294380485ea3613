"""The lists of one resolver, read: what the configuration and its files say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from labnet.config.filters import BlockTable
from labnet.resolver.files.problem import Problem
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.names_file import NamesFile
from labnet.resolver.filtering.policy_zone import PolicyZone
from labnet.resolver.filtering.treatment import treatment_of


def read_list(
    name: str, table: BlockTable, content: bytes, checkpoint: Callable[[], None]
) -> tuple[BlockList, list[Problem]]:
    """The list ``name``, whose file has ``content``, and what of that was skipped.

    No line of a file is an error: it comes from elsewhere, and the list counts without it.
    """
    found = BlockList(name, table.clients or None, table.asked_for)
    if table.form == "rpz":
        zone = PolicyZone(found, checkpoint)
        zone.read(content)
        skipped = zone.skipped
    else:
        found.treatments.append(treatment_of(table.answer))
        file = NamesFile(found.names, 0, table.subdomains)
        file.read(content, table.form == "hosts", checkpoint)
        skipped = file.skipped
    if table.names:
        found.treatments.append(treatment_of(table.answer))
        NamesFile(found.names, len(found.treatments) - 1, table.subdomains).take(table.names)
    found.names.settle()
    return found, skipped.problems()


def list_files(tables: Iterable[BlockTable]) -> Iterator[str]:
    """The paths of the files that ``tables`` name."""
    return (table.file for table in tables if table.file is not None)
