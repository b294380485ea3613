"""labnet as it is installed: from a wheel, an editable install, a plain checkout; each in an environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs import shipped
from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.namespaces import inside, namespace
from tests.interop.plain import greeted, is_time, line, resolve
from tests.interop.venvs import ROOT, Venv, checkout, plain

URL = "https://git.lab.test/net/labnet"

PLUGINS = ("labnet", "labnet-command", "labnet-resolver")

LAB = """
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "ips.txt"
"""

IMPORTED = """
import sys
from twisted.scripts.twistd import run
sys.argv = ["twistd", "--help"]
try:
    run()
finally:
    print("imported:", *sorted(name for name in sys.modules if name.split(".")[0] == "labnet"))
"""


@dataclass(frozen=True)
class Installed:
    """One way to have labnet: the environment, the folder to be in, and what else Python is told."""

    venv: Venv
    cwd: Path
    env: dict[str, str]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("checkout"))


def fresh(folder: Path) -> Venv:
    """A new environment in ``folder``, which must not have labnet yet."""
    venv = Venv.make(folder)
    assert "No module named 'labnet'" in venv.run("python", "-c", "import labnet", cwd=folder).stderr
    assert "labnet" not in venv.run("twistd", "--help", cwd=folder).stdout
    return venv


@pytest.fixture(scope="module")
def released(copy: Path) -> Path:
    """The folder of what ``make release`` built from a clean tree."""
    git("init", "-q", cwd=copy)
    (copy / "docs/changes/one.feature.md").write_text("One more thing.\n")
    setup = re.sub(r"(?m)^version = .*", "version = 99.0.0", (copy / "setup.cfg").read_text())
    (copy / "setup.cfg").write_text(setup)
    assert "where is the repository?" in make("release", copy).stderr
    assert "the tree is not clean" in make("release", copy, f"URL={URL}").stderr
    commit(copy)
    assert "make changelog first" in make("release", copy, f"URL={URL}").stderr
    changed = make("changelog", copy)
    assert changed.returncode == 0, changed.stderr
    assert "\n- One more thing.\n" in (copy / "CHANGELOG.md").read_text()
    assert not list((copy / "docs/changes").glob("*.md"))
    commit(copy)
    made = make("release", copy, f"URL={URL}")
    assert made.returncode == 0, made.stdout + made.stderr
    return copy / "dist"


def git(*arguments: str, cwd: Path) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@lab.test")
    subprocess.run([peers.tool("git", "git"), *who, *arguments], cwd=cwd, check=True, timeout=DEADLINE)


def commit(folder: Path) -> None:
    git("add", "--all", cwd=folder)
    git("commit", "-q", "--message=All", cwd=folder)


def make(target: str, folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``make`` in a checkout, with this environment's programs and without making another."""
    command = [peers.tool("make", "make"), "-o", ".venv/test", f"BIN={Path(sys.executable).parent}", target, *variables]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=plain(), timeout=8 * DEADLINE)


@pytest.fixture(scope="module")
def wheel(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    venv = fresh(folder)
    (built,) = released.glob("txlabnet-*.whl")
    venv.pip("install", "--no-deps", "--no-index", built)
    (folder / "empty").mkdir()
    return Installed(venv, folder / "empty", {})


@pytest.fixture(scope="module")
def editable(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("editable")
    venv = fresh(folder)
    venv.pip("install", "--no-deps", "--no-index", "--no-build-isolation", "--editable", copy)
    (folder / "empty").mkdir()
    return Installed(venv, folder / "empty", {})


@pytest.fixture(scope="module")
def plain_checkout(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("plain")
    venv = fresh(folder)
    (folder / "checkout").mkdir()
    return Installed(venv, checkout(folder / "checkout"), {"PYTHONPATH": "."})


@pytest.fixture(params=["wheel", "editable", "plain_checkout"])
def installed(request: pytest.FixtureRequest) -> Installed:
    """Each way in turn."""
    found: Installed = request.getfixturevalue(request.param)
    return found


def test_the_wheel_has_every_module_and_nothing_of_the_tests(copy: Path, released: Path) -> None:
    """The packages are found by a rule; a folder that it misses would not be noticed in a checkout."""
    (built,) = released.glob("*.whl")
    names = {name for name in zipfile.ZipFile(built).namelist() if not re.match(r"[\w.-]+\.(dist-info|data)/", name)}
    modules = {*copy.glob("labnet/**/*.py"), *copy.glob("twisted/plugins/*.py")}
    assert len(modules) > 100
    assert {name for name in names if name.endswith(".py")} == {str(path.relative_to(copy)) for path in modules}
    assert {name.split("/")[0] for name in names} == {"labnet", "twisted"}
    assert {"labnet/py.typed", "labnet/builtin/labnet.toml", "labnet/builtin/root.hints"} <= names


def test_the_package_leads_to_the_repository_and_its_page_to_files_of_the_tag(released: Path) -> None:
    """Wheel and sdist alike; a link to a file beside README.md would lead nowhere on an index."""
    (built,) = released.glob("txlabnet-*.whl")
    (packed,) = released.glob("txlabnet-*.tar.gz")
    with zipfile.ZipFile(built) as archive, tarfile.open(packed) as sources:
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
        info = next(one for one in sources.getmembers() if re.fullmatch(r"[^/]+/PKG-INFO", one.name))
        assert sources.extractfile(info).read().decode() == metadata
    tag = "v" + re.search(r"^Version: (.*)$", metadata, re.MULTILINE)[1]
    assert f"\nHome-page: {URL}\n" in metadata
    assert f"\nProject-URL: Changelog, {URL}/blob/{tag}/CHANGELOG.md\n" in metadata
    links = re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", metadata)
    assert len(links) > 20
    for is_picture, link in links:
        begin = f"{URL}/{'raw' if is_picture else 'blob'}/{tag}/"
        if link.startswith(URL):
            assert link.startswith(begin)
            assert (ROOT / link.removeprefix(begin).partition("#")[0]).exists(), link
        else:
            assert link.startswith(("https://", "#")), link


def test_the_wheel_has_what_an_operator_takes(copy: Path, released: Path) -> None:
    """Units, schema, dashboard, alert rules, the dissector and the tree, for PREFIX/share/labnet, as they are."""
    (built,) = released.glob("*.whl")
    archive, files = zipfile.ZipFile(built), {}
    for name in archive.namelist():
        if match := re.fullmatch(r"[\w.-]+\.data/data/share/labnet/(.*)", name):
            files[match[1]] = archive.read(name)
    tree = [f"tree/{path.name}" for path in (copy / "etc/tree").iterdir()]
    assert {"tree/tree.toml", "tree/root.zone"} <= set(tree)
    dialects = [f"dialects/{path.name}" for path in (copy / "etc/dialects").iterdir()]
    dissector = ["wireshark/labnet.lua", "wireshark/labnet_forms.lua"]
    units = ["labnet.service", "labnet.socket"]
    assert files.keys() == {*units, "labnet.schema.json", "grafana.json", "alerts.yml", *tree, *dialects, *dissector}
    for name, content in files.items():
        assert content == (copy / "etc" / name).read_bytes(), name


def test_the_wheel_has_man_pages_and_completions_of_the_commands_as_they_are(released: Path) -> None:
    """For PREFIX/share, where man and the shells look for them."""
    (built,) = released.glob("*.whl")
    archive, version = zipfile.ZipFile(built), built.name.split("-")[1]
    for path, text in shipped.shipped(version).items():
        assert archive.read(f"txlabnet-{version}.data/data/{path}").decode() == text


def test_the_sdist_has_everything_that_is_in_the_repository(copy: Path, released: Path) -> None:
    """Documentation, examples, tests and the change log; only what git itself reads is left out."""
    (built,) = released.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    listed = subprocess.run(
        [peers.tool("git", "git"), "ls-files"], cwd=copy, capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) - names == {".gitignore"}
    assert {name for name in names if name not in listed.stdout.split() and "egg-info" not in name} == {"PKG-INFO"}


def test_twistd_shows_the_three_plugins(installed: Installed) -> None:
    """``twistd --help`` lists them with what they are for."""
    shown = installed.venv.run("twistd", "--help", cwd=installed.cwd, **installed.env)
    assert shown.returncode == 0
    for plugin in PLUGINS:
        assert re.search(rf"^ +{plugin} +\w+", shown.stdout, re.MULTILINE), shown.stdout


def test_showing_the_plugins_imports_nothing_of_labnet(installed: Installed) -> None:
    """Every ``twistd --help`` on the machine would pay for it."""
    shown = installed.venv.run("python", "-c", IMPORTED, cwd=installed.cwd, **installed.env)
    assert " labnet-resolver " in shown.stdout
    assert shown.stdout.splitlines()[-1].strip() == "imported:", shown.stdout


def test_the_lab_starts(installed: Installed, tmp_path: Path) -> None:
    """``twistd -n labnet`` runs a configuration file's lab, and both its services answer."""
    (tmp_path / "lab.toml").write_text(LAB)
    (tmp_path / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\n")
    command, arguments = [str(installed.venv.bin("twistd"))], ("labnet", "--config", str(tmp_path / "lab.toml"))
    with Daemon(*arguments, cwd=installed.cwd, command=command, env=plain() | installed.env) as daemon:
        assert resolve(daemon.address("resolver main"), "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", ')
        with greeted(daemon.address("command server")) as sock:
            sock.send(b"TIME")
            assert is_time(line(sock)[:-1], 0)


def test_the_console_command_checks_the_built_in_lab(wheel: Installed) -> None:
    """The wheel has the labnet command, and the built-in lab's files with it."""
    checked = wheel.venv.run("labnet", "check", cwd=wheel.cwd)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("the built-in lab: OK: 3 server(s), ")


@pytest.fixture
def network() -> Iterator[str]:
    with namespace() as name:
        yield name


def test_the_built_in_lab_runs_from_the_wheel_in_an_empty_folder(
    wheel: Installed, network: str, tmp_path: Path
) -> None:
    """Without any file the transcript's lab listens on its ports, answers, and keeps its state in ./var."""
    command = inside(network, str(wheel.venv.bin("twistd")))
    with Daemon("labnet", cwd=tmp_path, command=command, env=plain()) as daemon:
        assert daemon.address("command server") == ("127.0.0.1", 8080)
        assert daemon.address("resolver main") == ("127.0.0.1", 1199)
        assert daemon.address("resolver parent") == ("127.0.0.1", 1200)
        labnet = inside(network, str(wheel.venv.bin("labnet")))
        asked = subprocess.run(
            [*labnet, "resolve", "127.0.0.1", "1199", "www.google.co.il", "www.biu.ac.il"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=plain(),
        )
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, "21.09.1992.8\n1.2.3.4\n", "")
        told = subprocess.run(
            [*labnet, "command", "127.0.0.1", "8080", "TIME"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=plain(),
        )
        assert (told.returncode, told.stderr) == (0, "")
        assert is_time(told.stdout.strip().encode(), 0)
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")) == ["var", "var/main.learned"]
    assert (tmp_path / "var/main.learned").read_text().startswith("www.google.co.il,21.09.1992.8,60,1,")


def units(folder: Path) -> list[Path]:
    """The unit files in ``folder``, with a program that is there in the place of each of theirs."""
    found = []
    for kind in "service", "socket":
        for unit in sorted((ROOT / "etc").glob(f"*.{kind}")):
            text = re.sub(r"^(Exec\w+=[-@:+!]*)\S+", rf"\1{sys.executable}", unit.read_text(), flags=re.MULTILINE)
            (folder / unit.name).write_text(text)
            found.append(folder / unit.name)
    return found


def test_systemd_takes_the_unit_files(tmp_path: Path) -> None:
    """systemd-analyze has nothing to say of them, once their programs are there."""
    for unit in units(tmp_path):
        command = [peers.tool("systemd-analyze", "systemd"), "verify", "--man=no", str(unit)]
        verified = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_systemd_finds_little_that_the_service_could_do_to_the_system(tmp_path: Path) -> None:
    """Its exposure is 2.0 of 10 at most; "OK" ends at 5."""
    service = units(tmp_path)[0]
    analyze = peers.tool("systemd-analyze", "systemd")
    command = [analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", str(service)]
    analyzed = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert analyzed.returncode == 0, analyzed.stdout + analyzed.stderr
    assert " OK " in analyzed.stdout.splitlines()[-1], analyzed.stdout
