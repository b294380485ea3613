"""The live page of real daemons: what clients do is told as it happens, in one process and in several."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop import peers
from tests.interop.daemon import Daemon
from tests.interop.dns_peers import free_port
from tests.interop.live_page import LAB, LivePage, Stream
from tests.interop.plain import greeted, resolve

RECORDS = {"ips.txt": "www.lab,192.0.2.1,60\nfirst.lab,192.0.2.3,60\n", "parent.txt": "shop.lab,192.0.2.2,60\n"}


def written(folder: Path, workers: int = 1) -> tuple[str, ...]:
    """The arguments that run a lab from ``folder``."""
    for name, text in RECORDS.items():
        (folder / name).write_text(text)
    (folder / "lab.toml").write_text(LAB.format(workers=workers, parent=free_port()))
    return "labnet", "--config", "lab.toml"


def is_exchange(name: str, resolver: str, result: str) -> Any:
    """Whether an event is that exchange."""
    return lambda kind, value: (
        kind == "exchange" and (value["name"], value["resolver"], value["result"]) == (name, resolver, result)
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_hit_miss_and_session_are_told_as_they_happen(tmp_path: Path, workers: int) -> None:
    """With their datagrams and reasons, and again by the JSON; a client that comes again misses nothing."""
    with Daemon(*written(tmp_path, workers), cwd=tmp_path) as daemon:
        main = daemon.address("resolver main")
        page = LivePage(daemon, workers)
        with Stream(page) as stream:
            if workers > 1:
                stream.hear_of_all(workers, lambda: resolve(main, "first.lab"))
            resolve(main, "www.lab")
            hit = stream.wait_for(is_exchange("www.lab", "main", "hit"))
            assert [step["kind"] for step in hit["why"]][-1] == "records"
            resolve(main, "shop.lab")
            miss = stream.wait_for(is_exchange("shop.lab", "main", "asked"))
            assert [one["kind"] for one in miss["datagrams"]] == ["sent"] * 4
            stream.wait_for(is_exchange("shop.lab", "parent", "hit"))
            with greeted(daemon.address("command server")) as client:
                client.sendall(b"TIME\n")
                told = stream.wait_for(lambda kind, value: kind == "session" and value["what"] == "command")
                assert told["text"] == "TIME"
                (session,) = page.get("sessions")["sessions"]
                assert 0 < session["left"] <= 15
                page.post(f"sessions/{session['id']}/close", {})
                stream.wait_for(lambda kind, value: kind == "session" and value["what"] == "closed")
        whole = page.get(f"exchanges/{miss['id']}")
        assert whole["datagrams"][1]["text"] == "shop.lab"
        assert [one["id"] for one in page.get("exchanges?name=shop&resolver=main")["exchanges"]] == [miss["id"]]
        with Stream(page, "?after=0") as again:
            again.wait_for(is_exchange("www.lab", "main", "hit"))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_page_asks_flushes_and_looks_up(tmp_path: Path, workers: int) -> None:
    """By real datagrams; what was learned is among the names until it is flushed."""
    with Daemon(*written(tmp_path, workers), cwd=tmp_path) as daemon:
        page = LivePage(daemon, workers)
        for protocol in "dns", "course":
            told = page.post("ask", {"resolver": "main", "name": "shop.lab", "type": "A", "protocol": protocol})
            assert told["answer"].startswith(("A 192.0.2.2", '["shop.lab", "192.0.2.2"')), told
            assert told["result"] in ("asked", "hit")
        names = page.get("names?kind=learned")["names"]
        assert [(one["resolver"], one["name"], one["data"]) for one in names] == [("main", "shop.lab", "192.0.2.2")]
        assert page.post("flush", {"name": "shop.lab"})["flushed"] == 1
        assert page.get("names?kind=learned")["names"] == []
        parent = page.get("parents")["parents"][0]
        answer = page.post("parents/ask", {"resolver": "main", "address": parent["address"], "name": "shop.lab"})
        assert (answer["answered"], answer["says"]) == (True, "192.0.2.2")
        assert {node["id"] for node in page.get("map")["nodes"]} == {"resolver main", "resolver parent", "command"}


def test_an_exchange_is_a_capture_that_wireshark_opens(tmp_path: Path) -> None:
    """Each datagram is a packet of it."""
    tshark = peers.tool("tshark", "tshark")
    with Daemon(*written(tmp_path), cwd=tmp_path) as daemon:
        daemon.address("resolver main")
        page = LivePage(daemon)
        told = page.post("ask", {"resolver": "main", "name": "shop.lab", "type": "A", "protocol": "dns"})
        url = f"http://{page.host}:{page.port}/api/1/exchanges/{told['id']}/capture.pcapng"
        subprocess.run([shutil.which("curl") or "curl", "-sf", "-o", "one.pcapng", url], cwd=tmp_path, check=True)
        shown = subprocess.run(
            [tshark, "-r", "one.pcapng", "-T", "fields", "-e", "udp.length"],
            cwd=tmp_path, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert [int(size) - 8 for size in shown.split()] == [one["size"] for one in told["datagrams"]]


def test_a_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    """Two labs of one machine have a page each."""
    arguments = written(tmp_path)
    with Daemon(*arguments, cwd=tmp_path) as daemon:
        first = LivePage(daemon)
        other = tmp_path / "other"
        other.mkdir()
        written(other)
        text = (other / "lab.toml").read_text()
        (other / "lab.toml").write_text(re.sub(r'page = "tcp:0', f'page = "tcp:{first.port}', text))
        with Daemon(*arguments, cwd=other) as second:
            page = LivePage(second)
            assert page.port != first.port
            assert page.get("lab")["resolvers"][0]["name"] == "main"
