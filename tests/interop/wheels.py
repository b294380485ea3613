"""Wheels of what is installed here, so that a build finds what it needs without a network."""

from __future__ import annotations

import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def wheels(names: list[str], folder: Path) -> None:
    """Write into ``folder`` a wheel of each of the distributions ``names`` and of all that they need."""
    wanted, seen = [Requirement(name) for name in names], set[str]()
    while wanted:
        required = wanted.pop()
        key = f"{canonicalize_name(required.name)}{sorted(required.extras)}"
        if key in seen:
            continue
        seen.add(key)
        found = distribution(required.name)
        if not found.metadata["Name"].startswith("txlabnet"):
            wheel(found, folder)
        for text in found.requires or ():
            needed = Requirement(text)
            extras = [*required.extras, ""]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(needed)


def wheel(found: Distribution, folder: Path) -> None:
    """Pack one distribution again as it was; pip makes its programs anew."""
    tags = [line[5:].split("-") for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    name = found.metadata["Name"].replace("-", "_").replace(".", "_")
    path = folder / f"{name}-{found.version}-{tag}.whl"
    if path.exists():
        return
    with zipfile.ZipFile(path, "w") as archive:
        for file in found.files or ():
            if file.parts[0] != ".." and "__pycache__" not in file.parts and file.name != "dropin.cache":
                archive.write(str(file.locate()), str(file))
