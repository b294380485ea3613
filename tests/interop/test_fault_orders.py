"""Faults on order in real labs: what a client, a resolver and a capture see of each, and that each ends."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import pytest

from labnet.cli import main
from labnet.faults.model import KINDS
from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_peers import free_port
from tests.interop.fleet import until
from tests.interop.live_page import LAB, LivePage, Stream

RECORDS = {"ips.txt": "www.lab,192.0.2.1,60\n", "parent.txt": "".join(f"n{at}.lab,192.0.2.2,60\n" for at in range(99))}


def written(folder: Path, workers: int = 1, more: str = "") -> tuple[str, ...]:
    """The arguments that run a lab from ``folder``."""
    for name, text in RECORDS.items():
        (folder / name).write_text(text)
    (folder / "lab.toml").write_text(LAB.format(workers=workers, parent=free_port()) + more)
    return "labnet", "--config", "lab.toml"


class Lab:
    """A lab, its page, and a client of its resolver ``main``."""

    def __init__(self, daemon: Daemon, workers: int = 1) -> None:
        self.page = LivePage(daemon, workers)
        self.address = daemon.address("resolver main")
        self.command = daemon.address("command server")
        self._names = iter(range(99))

    def order(self, kind: str, **given: Any) -> str:
        return str(self.page.post("faults", {"kind": kind, "where": "main", **given})["id"])

    def end(self) -> None:
        for one in self.page.get("faults")["faults"]:
            self.page.post(f"faults/{one['id']}/end", {})
        assert self.page.get("lab")["faults"] == []

    def ask(self, name: str, *, dns_message: bool = False, patience: float = 0.7, count: int = 1) -> list[bytes]:
        """The datagrams that come back for one question, at most ``count``."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(patience)
            question = dns.message.make_query(name, "A").to_wire() if dns_message else name.encode()
            client.sendto(question, self.address)
            got = []
            try:
                while len(got) < count:
                    got.append(client.recvfrom(4096)[0])
            except TimeoutError:
                pass
            return got

    def new_name(self) -> str:
        """A name that only the parent knows, asked for the first time."""
        return f"n{next(self._names)}.lab"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all kinds: each test ends what it ordered."""
    folder = tmp_path_factory.mktemp("faults")
    with Daemon(*written(folder), cwd=folder) as daemon:
        yield Lab(daemon)


@pytest.fixture
def ordered(lab: Lab) -> Iterator[Lab]:
    """The lab, without any order before and after."""
    lab.end()
    yield lab
    lab.end()


def test_a_reply_is_lost_late_doubled_cut_emptied_or_stale_at_the_clients(ordered: Lab) -> None:
    """And is whole again when the order has ended."""
    whole = ordered.ask("www.lab")
    for kind, expected in {
        "drop": [],
        "delay": whole,
        "duplicate": whole * 2,
        "truncate": [whole[0][: len(whole[0]) // 2]],
        "empty": [b""],
        "stale-ttl": [whole[0].replace(b'"60"', b'"0"')],
        "spoof": [whole[0].replace(b"192.0.2.1", b"6.6.6.6"), whole[0]],
        "wrong-name": [whole[0].replace(b"www", b"xww")],
    }.items():
        ordered.order(kind, side="client", direction="out", amount=100)
        assert ordered.ask("www.lab", count=max(len(expected), 1)) == expected, kind
        ordered.end()
        assert ordered.ask("www.lab") == whole


def test_a_dns_reply_gets_another_id_other_bytes_or_another_port(ordered: Lab) -> None:
    """A client that connects its socket never sees what comes from another port."""
    ordered.order("wrong-id", nth=1)
    (reply,) = ordered.ask("www.lab", dns_message=True)
    (again,) = ordered.ask("www.lab", dns_message=True)
    assert dns.message.from_wire(reply).answer == dns.message.from_wire(again).answer
    ordered.order("garbage", nth=1)
    assert ordered.ask("www.lab") != ordered.ask("www.lab")
    ordered.order("corrupt", nth=1)
    assert ordered.ask("www.lab") != ordered.ask("www.lab")
    ordered.order("wrong-port", nth=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"www.lab", ordered.address)
        assert client.recvfrom(4096)[1] != ordered.address


def test_the_second_reply_overtakes_the_first(ordered: Lab) -> None:
    """Both arrive."""
    ordered.order("reorder", nth=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"www.lab", ordered.address)
        client.sendto(b"nowhere.lab", ordered.address)
        first, second = client.recv(4096), client.recv(4096)
    assert (b"nowhere" in first or first == b"[]", b"www.lab" in second) == (True, True)


def test_every_second_question_for_one_name_is_lost_on_its_way_in(ordered: Lab) -> None:
    """Others are not; who watches is told what became of it."""
    with Stream(ordered.page) as stream:
        ordered.order("drop", side="client", direction="in", every=2, name="www.lab")
        assert [len(ordered.ask("www.lab")) for _ in range(4)] == [1, 0, 1, 0]
        assert len(ordered.ask("nowhere.lab", patience=5)) == 1
        lost = stream.wait_for(lambda kind, value: kind == "exchange" and value["result"] == "dropped")
    assert lost["name"] == "www.lab"
    assert "drop at resolver main" in lost["datagrams"][0]["fault"]


@pytest.mark.parametrize("kind", ["garbage", "empty", "truncate"])
def test_a_reply_of_the_parent_that_cannot_be_read_fails_the_question(ordered: Lab, kind: str) -> None:
    """Who watches sees which datagram it was; the next question is answered."""
    name = ordered.new_name()
    with Stream(ordered.page) as stream:
        ordered.order(kind, side="parent", nth=1)
        assert ordered.ask(name, patience=20) == [b"[]"]
        wanted = ("exchange", name, "main")
        told = stream.wait_for(lambda seen, value: (seen, value.get("name"), value.get("resolver")) == wanted)
    assert [one["fault"] for one in told["datagrams"] if one["fault"]] == [
        f"{kind} at resolver main, parent side: number 1 of what comes in"
    ]
    assert b"192.0.2.2" in ordered.ask(ordered.new_name(), patience=20)[0]


@pytest.mark.parametrize("kind", ["drop", "silent", "wrong-name", "wrong-port"])
def test_a_reply_of_the_parent_that_is_lost_or_of_no_use_is_asked_for_again(ordered: Lab, kind: str) -> None:
    """The first one of each: the client gets the right answer all the same, later."""
    name = ordered.new_name()
    with Stream(ordered.page) as stream:
        ordered.order(kind, side="parent", nth=1)
        assert b"192.0.2.2" in ordered.ask(name, patience=20)[0]
        told = stream.wait_for(
            lambda seen, value: seen == "exchange" and value["name"] == name and value["resolver"] == "main"
        )
    assert len([one for one in told["datagrams"] if one["kind"] in ("sent", "again")]) >= 4
    assert any(one.get("fault") for one in told["datagrams"])


def test_a_parent_that_is_down_fails_at_once(ordered: Lab) -> None:
    """The port is unreachable, so nobody waits for a time-out."""
    ordered.order("down", side="parent")
    assert ordered.ask(ordered.new_name(), patience=5) == [b"[]"]


def test_a_referral_that_leads_in_a_circle_ends(ordered: Lab) -> None:
    """The client gets an answer that says so."""
    ordered.order("referral-loop", side="parent")
    assert ordered.ask(ordered.new_name(), patience=20) == [b"[]"]


def _reply(client: socket.socket, request: bytes = b"") -> bytes:
    """What comes to ``request``: a segment, nothing at the end of the stream, ``nothing`` or ``reset``."""
    try:
        client.sendall(request)
        return client.recv(4096)
    except TimeoutError:
        return b"nothing"
    except ConnectionResetError:
        return b"reset"


def _talk(lab: Lab, *commands: bytes) -> list[bytes]:
    """What comes before the ``commands``, and to each of them."""
    with socket.create_connection(lab.command, timeout=2) as client:
        return [_reply(client, command) for command in (b"", *commands)]


def test_the_command_servers_connections_are_reset_silent_or_half_closed(ordered: Lab) -> None:
    """Connections from the order on; the next ones are as ever."""
    ordered.order("reset", where="command", nth=1)
    assert _talk(ordered, b"TIME\n")[1] == b"reset"
    ordered.order("silence", where="command", nth=1)
    assert _talk(ordered, b"TIME\n")[1] == b"nothing"
    ordered.order("half-close", where="command", nth=1)
    assert _talk(ordered, b"TIME\n", b"TIME\n")[2] == b""
    assert len(_talk(ordered, b"TIME\n")[1]) == 25


def test_replies_of_the_command_server_are_split_gathered_or_late(ordered: Lab) -> None:
    """By bytes, by time, and by a server that reads slowly."""
    ordered.order("split", where="command", nth=1, amount=20)
    assert len(_talk(ordered)[0]) == 1
    ordered.order("coalesce", where="command", nth=1, amount=300)
    with socket.create_connection(ordered.command, timeout=5) as client:
        client.sendall(b"TIME\n")
        got = client.recv(4096)
    assert got.startswith(b"Connected: ")
    assert got.count(b"\n") == 2
    ordered.order("slow-reader", where="command", nth=1, amount=100)
    assert len(_talk(ordered, b"TIME\n", b"TIME\n")[2]) == 25


def ask_by_tcp(lab: Lab, name: str) -> list[bytes]:
    """The pieces in which the reply comes over DNS by TCP, up to its end or to that of the connection."""
    question = dns.message.make_query(name, "A").to_wire()
    with socket.create_connection(lab.address, timeout=2) as client:
        got = [_reply(client, len(question).to_bytes(2, "big") + question)]
        while got[-1] not in (b"", b"nothing", b"reset"):
            whole = b"".join(got)
            if len(whole) >= 2 and len(whole) >= 2 + int.from_bytes(whole[:2], "big"):
                break
            got.append(_reply(client))
    return got


def test_dns_over_tcp_is_split_silent_or_reset(ordered: Lab) -> None:
    """The resolver's connections from the order on; its UDP, and the next connections, are as ever."""
    ordered.order("split", where="main", side="session", nth=1, amount=50)
    pieces = ask_by_tcp(ordered, "www.lab")
    assert pieces[0] == b"\0"
    assert len(pieces) > 10
    assert dns.message.from_wire(b"".join(pieces)[2:]).answer[0][0].to_text() == "192.0.2.1"
    ordered.order("silence", where="main", side="session", nth=1)
    assert ask_by_tcp(ordered, "www.lab") == [b"nothing"]
    ordered.order("reset", where="main", side="session", nth=1)
    assert len(ordered.ask("www.lab")) == 1
    assert ask_by_tcp(ordered, "www.lab") == [b"reset"]
    assert len(ask_by_tcp(ordered, "www.lab")) == 1


def test_a_capture_of_the_labs_own_says_what_was_done_to_each_packet(tmp_path: Path) -> None:
    """It has what was on the wire: what came though it was lost here, what was sent late, and of each why."""
    tshark = peers.tool("tshark", "tshark")
    with Daemon(*written(tmp_path, more='[capture]\nfile = "own.pcapng"\n'), cwd=tmp_path) as daemon:
        lab = Lab(daemon)
        assert len(lab.ask("www.lab")) == 1
        lab.order("drop", side="client", direction="in", nth=1)
        assert lab.ask("www.lab") == []
        lab.order("drop", side="client", direction="out", nth=1)
        assert lab.ask("www.lab") == []
        lab.order("duplicate", side="client", nth=1)
        assert len(lab.ask("www.lab", count=2)) == 2
        lab.order("drop", side="parent", nth=1)
        assert b"192.0.2.2" in lab.ask("n1.lab", patience=20)[0]
        lab.order("reset", where="command", nth=1)
        assert _talk(lab, b"TIME\n")[1] == b"reset"
        assert len(_talk(lab, b"TIME\n")[1]) == 25
    command = [tshark, "-r", str(tmp_path / "var/own.pcapng"), "-T", "fields", "-e", "frame.comment"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    faults = [line.partition("a fault was ordered: ")[2].partition(":")[0] for line in told]
    client_side, reset = "resolver main, client side", "reset at the command server"
    assert faults[:3] == ["", "", f"drop at {client_side}"]
    assert [fault for fault in faults if fault] == [
        f"drop at {client_side}",
        *[f"duplicate at {client_side}"] * 2,
        "drop at resolver main, parent side",
        *[reset] * 5,
    ]
    assert faults[-7:] == [""] * 7


def test_what_is_ordered_is_seen_in_the_status_the_metrics_and_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ended by the command line; an order that is wrong is one sentence."""
    with Daemon(*written(tmp_path), cwd=tmp_path) as daemon:
        lab = Lab(daemon)
        control = ["--socket", str(tmp_path / "var/control.sock")]
        assert main(["fault", "order", "drop", "--where", "main", "--every", "2", *control]) == 0
        assert capsys.readouterr().out == "f1: drop at resolver main, client side: one in 2 of what goes out\n"
        daemon.wait_for("fault f1 is ordered")
        assert [len(lab.ask("www.lab")) for _ in range(2)] == [1, 0]
        assert main(["status", "--json", *control]) == 0
        assert '"kind": "drop"' in capsys.readouterr().out
        assert main(["stats", "faults", *control]) == 0
        assert "labnet_faults_done_total{kind=drop} 1" in capsys.readouterr().out
        assert main(["fault", "list", *control]) == 0
        assert "1 hit" in capsys.readouterr().out
        assert main(["fault", "order", "drip", *control]) == 2
        assert "'drip' is no fault: drop, delay" in capsys.readouterr().err
        assert main(["fault", "end", *control]) == 0
        assert len(lab.ask("www.lab")) == 1


def test_the_configuration_orders_faults_and_a_wrong_one_is_said_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the start on, in every worker."""
    order = '[[fault]]\nkind = "drop"\nwhere = "main"\n'
    with Daemon(*written(tmp_path, 2, order), cwd=tmp_path) as daemon:
        lab = Lab(daemon, 2)
        assert lab.ask("www.lab") == []
        assert [one["by"] for one in lab.page.get("faults")["faults"]] == ["the configuration"]
        lab.end()
        assert len(lab.ask("www.lab", patience=5)) == 1
    (tmp_path / "lab.toml").write_text((tmp_path / "lab.toml").read_text().replace('"main"', '"nobody"'))
    assert main(["check", str(tmp_path / "lab.toml")]) == 1
    assert "fault.0: there is no resolver 'nobody'" in capsys.readouterr().err


NEVER_SENT = frozenset({"down", "silent"})
"""What these are done to is on no wire."""


def test_every_kind_is_seen_on_the_page_in_the_metrics_and_in_the_capture(tmp_path: Path) -> None:
    """Each is ordered once and done once; a datagram from elsewhere is not one of the lab's own sockets."""
    tshark = peers.tool("tshark", "tshark")
    more = '[capture]\nfile = "own.pcapng"\n'
    with Daemon(*written(tmp_path, more=more), cwd=tmp_path) as daemon:
        lab = Lab(daemon)
        with Stream(lab.page) as stream:
            for kind, about in KINDS.items():
                is_session = "session" in about.sides
                side = "session" if is_session else "parent" if "parent" in about.sides else "client"
                lab.order(kind, where="command" if is_session else "main", side=side, nth=1, amount=50)
                if is_session:
                    _talk(lab, b"TIME\n")
                else:
                    lab.ask(lab.new_name(), dns_message=True, patience=20)
            over = list(KINDS)[-1], "ended"
            stream.wait_for(
                lambda kind, value: kind == "fault" and (value["sentence"].partition(" ")[0], value["what"]) == over
            )
            ended = [value for _, kind, value in list(stream.events) if kind == "fault" and value["what"] == "ended"]
            told = {one["fault"].partition(" ")[0] for _, kind, value in list(stream.events) if kind == "exchange"
                    for one in value["datagrams"] if one.get("fault")}  # fmt: skip
        until(lambda: _done(lab) == set(KINDS), "the metrics, which are made once a second, have each")
    assert [value["sentence"].partition(" ")[0] for value in ended] == list(KINDS)
    by_udp = {kind for kind, about in KINDS.items() if "session" not in about.sides}
    assert told == by_udp
    command = [tshark, "-r", str(tmp_path / "var/own.pcapng"), "-T", "fields", "-e", "frame.comment"]
    comments = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert {line.partition("a fault was ordered: ")[2].partition(" ")[0] for line in comments} - {""} == (
        KINDS.keys() - NEVER_SENT
    )


def _done(lab: Lab) -> set[str]:
    """The kinds of which the metrics say that they were done once."""
    connection = http.client.HTTPConnection(lab.page.host, lab.page.port, timeout=DEADLINE)
    try:
        connection.request("GET", "/metrics")
        shown = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {kind for kind in KINDS if f'labnet_faults_done_total{{kind="{kind}"}} 1.0' in shown}
