"""The pages of the documentation, as the tests read them."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

from twisted.python import usage

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY"))]
PAGES += sorted((ROOT / "docs").glob("*.rst"))


def text_of(page: str | Path) -> str:
    """What is in a file, named from the root of the checkout."""
    return (ROOT / page).read_text(encoding="utf-8")


def plain(marked: str) -> str:
    """``marked`` in one line, without the marks of code."""
    return " ".join(marked.replace("`", "").split())


def sections(page: str, heading: str) -> dict[str, str]:
    """The text under each heading; ``heading`` matches one, its title as its group."""
    parts = re.split(heading, text_of(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def markdown_table(section: str) -> dict[str, list[str]]:
    """The rows of a table whose first cell is code, by that cell."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"^\|.*\|$", section, re.M)]
    return {plain(cells[0]): [plain(cell) for cell in cells[1:]] for cells in rows if cells[0].startswith("`")}


def options(plugin: type[usage.Options]) -> dict[str, str | None]:
    """The long options of a plugin with their defaults; a flag has None."""
    flags = {flag[0]: None for flag in getattr(plugin, "optFlags", ())}
    return {parameter[0]: parameter[2] for parameter in plugin.optParameters} | flags


def named(dotted: str) -> Any:
    """What ``dotted`` names: a module's or a class's attribute."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            # With slots a default is no attribute of the class any more.
            is_slotted = dataclasses.is_dataclass(value) and isinstance(value, type)
            fields = {field.name: field.default for field in dataclasses.fields(value)} if is_slotted else {}
            value = fields[part] if part in fields else getattr(value, part)
        return value
    raise AssertionError(f"{dotted} names nothing")
