"""What README.md and the pages say to type, typed as it stands into a fresh checkout, shows what they show."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.capture import samples
from tests.interop.consoles import CLASSES, NOT_RUN, ROOT, blocks
from tests.interop.daemon import DEADLINE
from tests.interop.machines import machine
from tests.interop.peers import tool
from tests.interop.sessions import Session
from tests.interop.venvs import Venv, checkout, plain

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.rst"))]
RUN = [page for page in PAGES if any(not block.classes & NOT_RUN for block in blocks(page) if block.commands)]

NOT_TYPED = {
    "make test": "it is what types all of this",
    "make deb": "the index has what goes into the package; test_debian_package.py builds it without one",
    "apt-get install ./dist/labnet_*.deb": "systemd has not booted this machine; test_debian_package.py installs it",
    "systemctl restart systemd-resolved": "systemd has not booted this machine",
    "podman build -f etc/container/Containerfile -t labnet .": "the base of the image is on the network",
    "pip install 'txlabnet[shared]'": "it is of the index",
    "dig @192.168.1.2 +noall +comments www.isc.org | grep flags": "the zones that sign these names are on the Internet",
}
"""The blocks that are not typed, by their first command, and why."""

CAPTURES = {"ping.pcap": "icmp-ping", "lease.pcap": "dhcp", "lan.pcap": "arp", "get.pcap": "get"}
"""Captures that the reader is to have, and those of the exercises that stand for them."""

PROGRAMS = {
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "kdig": "knot-dnsutils",
    "nc": "netcat-openbsd",
    "redis-server": "redis-server",
    "systemctl": "systemd",
    "systemd-socket-activate": "systemd",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
}
"""Programs that pages type, by the packages that have them."""

OFFLINE = {
    "SYSTEMD_OFFLINE": "1",  # systemctl enables, and starts nothing
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value of a "no" as that of its opposite
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""What pip and systemctl are told of a machine without a network and without systemd."""

BEFORE = {
    "howto-machine.rst": """
        ip address add 192.0.2.1/32 dev lo
        ip address add 2001:db8::1/128 dev lo
        dnsmasq --conf-file=/dev/null --pid-file= --no-resolv --no-hosts --listen-address=192.0.2.1 \
            --bind-interfaces --local=/example/ --host-record=www.shop.example,198.51.100.80
    """
}
"""What the machine of a page's reader has beside a checkout: addresses, and the DNS server that it has used so far."""


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
    """On a machine of its own, in the order of the page; what is not typed says so in its class."""
    to_type = [block for block in blocks(page) if not block.classes & NOT_RUN]
    typed = " ".join(command.text for block in to_type for command in block.commands)
    for program, package in PROGRAMS.items():
        if program in typed.split():
            tool(program, package)
    copy = checkout(tmp_path / "labnet")
    (copy / ".venv").symlink_to(venv.folder)
    for ready in "run", "test":
        (venv.folder / ready).touch()  # make has nothing to install
    inside, outside = samples.translated()
    for name, packets in ("secure.pcap", samples.secure()), ("inside.pcap", inside), ("outside.pcap", outside):
        (copy / name).write_bytes(samples.pcap(packets))
    if samples.SHARED.is_dir():
        for name, capture in CAPTURES.items():
            shutil.copy(samples.exercise_capture(capture), copy / name)
    (tmp_path / "machine").mkdir()
    with machine(tmp_path / "machine") as here:
        if page.name in BEFORE:
            tool("dnsmasq", "dnsmasq-base")
            subprocess.run(here.inside("bash", "-ec", BEFORE[page.name]), check=True, timeout=DEADLINE)
        packages = str(venv.folder.parent / "dependencies")
        session = Session(copy, here, plain() | OFFLINE | {"HOME": str(tmp_path), "PYTHONPATH": packages})
        try:
            for block in to_type:
                if "captures" not in block.classes or samples.SHARED.is_dir():
                    session.type(block)
        finally:
            session.close()


def test_what_is_not_typed_is_known_and_why() -> None:
    """A class keeps a block from being typed; each such block is listed. Behind one with ``beside`` comes another."""
    found = set()
    for page in PAGES:
        beside = None
        for block in blocks(page):
            assert block.classes <= CLASSES, f"{block}: {block.classes}"
            if block.classes & NOT_RUN:
                found.add(block.commands[0].text)
            elif block.commands:
                beside = block if "beside" in block.classes else None
        assert beside is None, f"nothing is typed beside {beside}"
    assert found == NOT_TYPED.keys()
