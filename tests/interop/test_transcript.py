"""The two-terminal transcript of the resolver's assignment, with real processes and a plain socket for a client."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.interop.daemon import Daemon
from tests.interop.plain import resolve

PARENT = b"www.google.co.il,21.09.1992.8,60\nwww.facebook.com,21.09.1992,60\n"

CHILD = (
    b"# Names of the course\r\nwww.biu.ac.il, 1.2.3.4,180\r\n\r\n  # by hand\nwww.ynet.co.il,1.2.3.5,60,0,1605280488.5"
)

GOOGLE = "www.google.co.il"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the records files of both."""
    (tmp_path / "parent.txt").write_bytes(PARENT)
    (tmp_path / "ips.txt").write_bytes(CHILD)
    return tmp_path


def parent_in(folder: Path) -> Daemon:
    return Daemon("labnet-resolver", "0", "-1", "-1", "parent.txt", cwd=folder)


def child_in(folder: Path, parent_port: int) -> Daemon:
    return Daemon("labnet-resolver", "0", "127.0.0.1", str(parent_port), "ips.txt", cwd=folder)


def learned_in(folder: Path, *names: str) -> tuple[int, list[bytes]]:
    """A child learns ``names`` and is stopped, its parent too: the parent's port and the child's replies."""
    with parent_in(folder) as parent:
        parent_port = parent.address("resolver resolver")[1]
        with child_in(folder, parent_port) as child:
            return parent_port, [resolve(child.address("resolver resolver"), name) for name in names]


def test_the_child_answers_with_the_line_that_its_parent_taught_it(folder: Path) -> None:
    """A plain client gets the transcript's bytes: name, address, TTL as text, learned, and the epoch second of that."""
    before = time.time()
    _, (reply,) = learned_in(folder, GOOGLE)
    assert re.fullmatch(rb'\["www\.google\.co\.il", "21\.09\.1992\.8", "60", "1", \d+\.\d+\]', reply)
    assert json.dumps(json.loads(reply)).encode() == reply
    assert before <= json.loads(reply)[4] <= time.time()


def test_each_answers_what_it_knows_itself_as_static(folder: Path) -> None:
    """The parent's own record and the child's have flag 0; what neither knows is an empty list."""
    with parent_in(folder) as parent, child_in(folder, parent.address("resolver resolver")[1]) as child:
        assert resolve(parent.address("resolver resolver"), GOOGLE).startswith(
            b'["www.google.co.il", "21.09.1992.8", "60", "0", '
        )
        address = child.address("resolver resolver")
        assert resolve(address, "www.biu.ac.il").startswith(b'["www.biu.ac.il", "1.2.3.4", "180", "0", ')
        assert resolve(address, "www.nobody.example") == b"[]"


def test_a_child_started_again_without_its_parent_still_knows_what_it_learned(folder: Path) -> None:
    """The reply after a restart is the very same, the epoch second included."""
    parent_port, (reply,) = learned_in(folder, GOOGLE)
    with child_in(folder, parent_port) as child:
        assert resolve(child.address("resolver resolver"), GOOGLE) == reply
        assert resolve(child.address("resolver resolver"), "www.facebook.com") == b"[]"


@pytest.mark.parametrize(("age", "known"), [(30, True), (61, False)])
def test_a_learned_name_is_known_for_its_ttl_and_no_longer(folder: Path, age: int, known: bool) -> None:
    """A restart finds a mapping with a TTL of 60 s that was learned longer ago than that forgotten."""
    parent_port, (reply,) = learned_in(folder, GOOGLE)
    since = json.loads(reply)[4]
    records = folder / "ips.txt"
    content = records.read_bytes()
    assert content.count(repr(since).encode()) == 1
    records.write_bytes(content.replace(repr(since).encode(), repr(since - age).encode()))
    with child_in(folder, parent_port) as child:
        reply = resolve(child.address("resolver resolver"), GOOGLE)
    assert (reply == json.dumps([GOOGLE, "21.09.1992.8", "60", "1", since - age]).encode()) if known else reply == b"[]"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_end_loses_nothing_learned(folder: Path, end: str) -> None:
    """Neither SIGTERM nor kill -9 right behind the last of fifty answers costs one of them."""
    names = [f"host-{number}.example" for number in range(50)]
    (folder / "parent.txt").write_text("".join(f"{name},192.0.2.{i},3600\n" for i, name in enumerate(names)))
    with parent_in(folder) as parent:
        parent_port = parent.address("resolver resolver")[1]
        with child_in(folder, parent_port) as child:
            replies = [resolve(child.address("resolver resolver"), name) for name in names]
            getattr(child, end)()
    assert b"[]" not in replies
    with child_in(folder, parent_port) as child:
        assert [resolve(child.address("resolver resolver"), name) for name in names] == replies


def test_what_its_author_wrote_stays_in_the_records_file_byte_for_byte(folder: Path) -> None:
    """Comments, blank lines, CRLF and a last line without its newline stay; what is learned comes behind them."""
    _, replies = learned_in(folder, GOOGLE, "www.facebook.com")
    content = (folder / "ips.txt").read_bytes()
    learned = [",".join(map(str, json.loads(reply))) for reply in replies]
    assert content == CHILD + b"\n" + "".join(f"{line}\n" for line in learned).encode()
    assert (folder / "parent.txt").read_bytes() == PARENT


def test_a_line_that_a_crash_cut_costs_only_itself(folder: Path) -> None:
    """A last line cut to the look of a static one is skipped with a warning; what was learned before it is known."""
    parent_port, replies = learned_in(folder, GOOGLE, "www.facebook.com")
    records = folder / "ips.txt"
    content = records.read_bytes()
    records.write_bytes(content[: content.rindex(b",1,")])
    with child_in(folder, parent_port) as child:
        assert resolve(child.address("resolver resolver"), GOOGLE) == replies[0]
        assert resolve(child.address("resolver resolver"), "www.facebook.com") == b"[]"
        child.wait_for(r"ips\.txt:7: .*cut")
    assert records.read_bytes() == content[: content.index(b"www.facebook.com")]
