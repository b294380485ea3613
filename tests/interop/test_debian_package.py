"""The Debian package: built, judged by lintian, and installed, run, removed and purged in a machine of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.daemon import DEADLINE
from tests.interop.venvs import ROOT, checkout, plain
from tests.interop.wheels import wheels

MACHINE = """
set -e
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {folder}/root
mount --rbind /proc {folder}/root/proc
mount --rbind /dev {folder}/root/dev
mount -t tmpfs tmpfs {folder}/root/run
rm -rf {folder}/root/opt/labnet {folder}/root/etc/labnet
mkdir -p {folder}/root/package
cp {package} {folder}/root/package/labnet.deb
ip link set lo up
exec chroot {folder}/root /bin/bash -e -c "$1"
"""
"""A copy of this machine that is gone at the end, with a network of its own; ``$1`` is what is done there."""

TYPED = r"""
exec 2>&1
echo == installed
dpkg --install /package/labnet.deb >/tmp/dpkg.log 2>&1
labnet --version
labnet check 2>/dev/null
readlink /etc/systemd/system/multi-user.target.wants/labnet.service
find /opt/labnet -name '*.pyc' | grep -q labnet/cli && echo compiled
echo == served
install -d -o nobody -m 750 /var/lib/labnet
start=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/labnet.service)
cd /var/lib/labnet
setpriv --reuid=nobody --regid=nogroup --clear-groups env STATE_DIRECTORY=/var/lib/labnet $start >/tmp/lab.log &
for _ in $(seq 600); do grep -q 'resolver parent listens' /tmp/lab.log && break; sleep 0.1; done
cd /
labnet resolve 127.0.0.1 1199 www.google.co.il
labnet status --config /etc/labnet/labnet.toml --json | head -c 1
kill %1
wait %1 || true
echo
grep -i 'traceback\|plugin cache' /tmp/lab.log || true
cut -d, -f1-4 /var/lib/labnet/main.learned
echo == removed
echo '# mine' >>/etc/labnet/labnet.toml
dpkg --remove labnet >/tmp/dpkg.log 2>&1
ls -d /opt/labnet /usr/bin/labnet /usr/lib/systemd/system/labnet.service 2>/dev/null || true
ls /etc/labnet /var/lib/labnet
echo == purged
dpkg --purge labnet >/tmp/dpkg.log 2>&1
ls -d /etc/labnet /var/lib/labnet /etc/systemd/system/multi-user.target.wants/labnet.service 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make deb`` builds in a fresh checkout, of the packages that are installed here."""
    peers.tool("dpkg-deb", "dpkg")
    folder = tmp_path_factory.mktemp("deb")
    asked = subprocess.run(["/usr/bin/python3", "-c", "import sys; print(sys.version_info[:2])"], capture_output=True)
    if asked.stdout.decode().strip() != str(sys.version_info[:2]):
        pytest.skip(f"Debian's Python is {asked.stdout.decode().strip()}, and the packages here are for another one")
    (folder / "wheels").mkdir()
    wheels(["txlabnet[all]", "setuptools"], folder / "wheels")
    (folder / "labnet").mkdir()
    copy = checkout(folder / "labnet")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    who = {"DEBFULLNAME": "Ada", "DEBEMAIL": "ada@lab-of-ada.org"}
    made = subprocess.run(
        [peers.tool("make", "make"), "-s", "deb"],
        cwd=copy,
        env=plain() | offline | who,
        capture_output=True,
        text=True,
        timeout=20 * DEADLINE,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (built,) = (copy / "dist").glob("labnet_*.deb")
    return built


@pytest.fixture(scope="module")
def shown(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What root sees who types all of ``TYPED`` on a copy of this machine, by its headings."""
    peers.root()
    machine = MACHINE.format(folder=tmp_path_factory.mktemp("machine"), package=package)
    command = [peers.tool("unshare", "util-linux"), "--mount", "--net", "bash", "-c", machine, "bash", TYPED]
    done = subprocess.run(command, env=plain(), capture_output=True, text=True, timeout=20 * DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return {part.split("\n")[0]: part.splitlines()[1:] for part in done.stdout.split("== ")[1:]}


def test_lintian_finds_no_error_and_no_warning(package: Path) -> None:
    """What is overridden is said in etc/debian/lintian-overrides, with why."""
    lintian = [peers.tool("lintian", "lintian"), "--fail-on", "error", package]
    judged = subprocess.run(lintian, capture_output=True, text=True, timeout=20 * DEADLINE)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    found = re.findall(r"^[EW]: .*$", judged.stdout, re.MULTILINE)
    assert found == []


def test_man_pages_and_completions_are_where_debian_looks_for_them(package: Path, tmp_path: Path) -> None:
    """And nowhere else."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "x"], check=True, timeout=DEADLINE)
    share = tmp_path / "x/usr/share"
    for name in (
        "man/man1/labnet.1.gz",
        "man/man1/labnet-resolve.1.gz",
        "bash-completion/completions/labnet",
        "zsh/vendor-completions/_labnet",
        "fish/vendor_completions.d/labnet.fish",
    ):
        assert (share / name).is_file(), name
    assert [path.name for path in (tmp_path / "x/opt/labnet/share").iterdir()] == ["labnet"]


def test_it_has_the_unit_as_it_is_and_nothing_of_where_it_was_built(package: Path, tmp_path: Path) -> None:
    """The configuration is the admin's to change, and says where the state is."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "x"], check=True, timeout=DEADLINE)
    unit = tmp_path / "x/usr/lib/systemd/system/labnet.service"
    assert unit.read_bytes() == (ROOT / "etc/labnet.service").read_bytes()
    names = ("ips.txt", "labnet.toml", "parent.txt")
    assert (tmp_path / "x/DEBIAN/conffiles").read_text().split() == [f"/etc/labnet/{name}" for name in names]
    assert '\nstate = "/var/lib/labnet"' in (tmp_path / "x/etc/labnet/labnet.toml").read_text()
    built = str(package.parent.parent).encode()
    assert [path for path in (tmp_path / "x").rglob("*") if path.is_file() and built in path.read_bytes()] == []


def test_it_is_installed_with_bytecode_and_with_the_unit_enabled(shown: dict[str, list[str]]) -> None:
    """What is typed afterwards is on the path."""
    version, *rest = shown["installed"]
    assert re.match(r"labnet \d+\.\d+", version)
    unit = "/lib/systemd/system/labnet.service"
    assert rest == ["/etc/labnet/labnet.toml: OK: 3 server(s), 6 record(s)", unit, "compiled"]


def test_the_installed_lab_serves_and_keeps_what_it_learned(shown: dict[str, list[str]]) -> None:
    """By the unit's own command line, as a user without rights."""
    assert shown["served"] == ["21.09.1992.8", "{", "www.google.co.il,21.09.1992.8,60,1"]


def test_a_removal_keeps_the_configuration_and_a_purge_leaves_nothing(shown: dict[str, list[str]]) -> None:
    """Bytecode that was made at the installation goes with the programs."""
    kept = ["/etc/labnet:", "ips.txt", "labnet.toml", "parent.txt", "", "/var/lib/labnet:", "main.learned"]
    assert [line for line in shown["removed"] if line != "main.learned.lock"] == kept
    assert shown["purged"] == []
