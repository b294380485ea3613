"""What README.md and the pages say to type, typed as it stands into a fresh checkout, shows what they show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.capture import samples
from tests.interop.consoles import CLASSES, NOT_RUN, ROOT, Session, blocks
from tests.interop.namespaces import namespace
from tests.interop.peers import tool
from tests.interop.venvs import Venv, checkout, plain

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.rst"))]
RUN = [page for page in PAGES if any(not block.classes & NOT_RUN for block in blocks(page) if block.commands)]

CAPTURES = {"ping.pcap": "icmp-ping", "lease.pcap": "dhcp", "lan.pcap": "arp", "get.pcap": "get"}
"""Captures that the reader is to have, and those of the exercises that stand for them."""


PROGRAMS = {
    "dig": "bind9-dnsutils",
    "kdig": "knot-dnsutils",
    "nc": "netcat-openbsd",
    "systemd-socket-activate": "systemd",
    "tshark": "tshark",
}
"""Programs that pages type, by the packages that have them."""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """What ``make run`` has installed."""
    folder = tmp_path_factory.mktemp("docs")
    made = Venv.make(folder)
    (folder / "labnet").mkdir()
    made.pip("install", "--no-deps", "--no-index", "--no-build-isolation", "--editable", checkout(folder / "labnet"))
    return made


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_what_a_page_says_to_type_shows_what_it_says(page: Path, venv: Venv, tmp_path: Path) -> None:
    """In a network of its own, in the order of the page; what is not run says so in its class."""
    typed = " ".join(command.text for block in blocks(page) for command in block.commands)
    for program, package in PROGRAMS.items():
        if program in typed.split():
            tool(program, package)
    copy = checkout(tmp_path / "labnet")
    (copy / ".venv").symlink_to(venv.folder)
    for ready in "run", "test":
        (venv.folder / ready).touch()  # make has nothing to install
    if samples.SHARED.is_dir():
        for name, capture in CAPTURES.items():
            shutil.copy(samples.exercise_capture(capture), copy / name)
    with namespace() as network:
        session = Session(copy, network, plain() | {"HOME": str(tmp_path)})
        try:
            for block in blocks(page):
                if "captures" not in block.classes or samples.SHARED.is_dir():
                    session.type(block)
        finally:
            session.close()


def test_each_block_says_by_known_words_what_it_needs() -> None:
    """One that is typed as root has the class that keeps it from being run."""
    for page in PAGES:
        for block in blocks(page):
            assert block.classes <= CLASSES, f"{block}: {block.classes}"
            is_root = any(command.is_root for command in block.commands)
            assert not is_root or "root" in block.classes, f"{block} is typed as root"
