"""The dissector of the course protocol in etc/wireshark, in a real tshark."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet import UDP as scapy_UDP

from tests.capture import samples
from tests.interop import peers
from tests.interop.tshark import DISSECTOR, with_labnet

CLIENT, SERVER, PORT = "10.0.0.1", "10.0.0.2", 50001
LINKS = ("labnet.course.response_in", "labnet.course.response_to")
INFO = "_ws.col.Info"

QUERY = bytes(DNS(id=1, rd=1, qd=DNSQR(qname="www.x.test")))


def ask(data: bytes, server: int = 1199, client: int = PORT) -> bytes:
    return samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, samples.udp(CLIENT, client, SERVER, server, data))


def tell(data: bytes, server: int = 1199, client: int = PORT) -> bytes:
    return samples.frame(samples.CHILD_MAC, samples.CLIENT_MAC, samples.udp(SERVER, server, CLIENT, client, data))


def seen(folder: Path, packets: list[bytes], *fields: str, snap: int = 65535) -> list[list[str]]:
    """``fields`` of each of ``packets``, a millisecond apart, as tshark has them in its second pass."""
    path = folder / "made.pcap"
    path.write_bytes(samples.pcap([(1000 + at / 1000, data) for at, data in enumerate(packets)], snap=snap))
    return fields_of(path, *fields)


def fields_of(path: Path, *fields: str) -> list[list[str]]:
    command = [*with_labnet(), "-2", "-n", "-r", str(path), "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


def test_the_four_packets_are_named_and_linked() -> None:
    """Both questions lead to their replies and back, with the time between them."""
    names = ("name", "address", "ttl", "learned", "response_in", "response_to", "time")
    rows = fields_of(samples.DOCS / "trace.pcapng", INFO, *(f"labnet.course.{name}" for name in names))
    name, address = "www.google.co.il", "21.09.1992.8"
    reply = f"Reply {name} {address} TTL 60"
    assert rows == [
        [f"Question {name}", name, "", "", "", "4", "", ""],
        [f"Question {name}", name, "", "", "", "3", "", ""],
        [reply, name, address, "60", "0", "", "2", "0.000913400"],
        [reply, name, address, "60", "1", "", "1", "0.003540734"],
    ]


REPLIES = {
    b'["a.test", "21.09.1992.8", "60", "1", 1605280488.749312]': "a.test 21.09.1992.8 TTL 60",
    b'["a.test", "fe80::1", 60]\n': "a.test fe80::1 TTL 60",
    b'["A.test.","1.2.3.4"]': "A.test. 1.2.3.4",
    b'["\\u0061.test", "\\ud83d\\ude00\\"\\\\x", "7"]': 'a.test 😀"\\x TTL 7',
    b"[]": "not known",
    b"a.test,1.2.3.4,60": "a.test 1.2.3.4 TTL 60",
    b" a.test , 1.2.3.4 , 60\r\n": "a.test 1.2.3.4 TTL 60",
    b"a.test,1.2.3.4": "a.test 1.2.3.4",
    b"a.test,1.2.3.4,60,0": "a.test 1.2.3.4 TTL 60",
    b"a.test,not found,0": "a.test not known",
    b"1.2.3.4": "1.2.3.4",
    b"1.2.3.4,60": "1.2.3.4 TTL 60",
    b"no idea": "no idea",
    b'["a.test", ["1.2.3.4"], "60"]': '["a.test", ["1.2.3.4"], "60"]',
    b"a.test,1.2.3.4,9999999999": "a.test,1.2.3.4,9999999999",
}
"""What a server may answer, and what is shown of it."""


@pytest.mark.parametrize("data", REPLIES)
@pytest.mark.parametrize("port", [1199, 1200])
def test_every_form_of_a_reply_is_understood_and_linked(data: bytes, port: int, tmp_path: Path) -> None:
    """On the transcript's ports; what has none of the forms is shown as it is."""
    rows = seen(tmp_path, [ask(b"a.test", port), tell(data, port)], INFO, *LINKS)
    assert rows == [["Question a.test", "2", ""], [f"Reply {REPLIES[data]}", "", "1"]]


def test_a_second_of_the_epoch_is_shown_as_a_date(tmp_path: Path) -> None:
    """All of its six decimals."""
    reply = tell(b'["a.test", "1.2.3.4", "60", "1", 1605280488.749312]')
    ((_,), (since,)) = seen(tmp_path, [ask(b"a.test"), reply], "labnet.course.since")
    assert since == "Nov 13, 2020 15:14:48.749312000 UTC"


def test_dns_on_the_ports_of_the_course_is_dns(tmp_path: Path) -> None:
    """It holds a NUL byte, which no name does; so too on a port that nobody knows."""
    packets = [ask(QUERY), tell(QUERY, 1200), ask(b"a.test"), ask(QUERY, 40000)]
    rows = seen(tmp_path, packets, "_ws.col.Protocol", "dns.qry.name")
    assert rows == [["DNS", "www.x.test"], ["DNS", "www.x.test"], ["Course", ""], ["DNS", "www.x.test"]]


def test_on_another_port_it_is_recognised_by_what_nothing_else_says(tmp_path: Path) -> None:
    """A host name alone, a reply in full, and then every name that is sent to whoever gave one, before that too."""
    packets = [
        ask(b"a.test\n", 40000), tell(b"[]", 40000),
        ask(b"router", 40001), tell(b"router,10.0.0.1,77", 40001),
        ask(b"printer", 40001, 50002), tell(b"10.0.0.2", 40001, 50002),
    ]  # fmt: skip
    assert seen(tmp_path, packets, INFO, *LINKS) == [
        ["Question a.test", "2", ""],
        ["Reply not known", "", "1"],
        ["Question router", "4", ""],
        ["Reply router 10.0.0.1 TTL 77", "", "3"],
        ["Question printer", "6", ""],
        ["Reply 10.0.0.2", "", "5"],
    ]


OTHERS = (
    b"hello",
    b"hello world",
    b"page.hits:1|c",
    b"[]",
    b"[1, 2",
    b"1.2.3.4",
    b"x,1,2",
    b"<34>1 a.test -",
    b"\x80a.b",
)


def test_other_texts_on_other_ports_are_left_alone(tmp_path: Path) -> None:
    """So are all protocols that Wireshark itself knows."""
    packets = [ask(data, 40000, PORT + at) for at, data in enumerate(OTHERS)]
    assert {protocol for (protocol,) in seen(tmp_path, packets, "_ws.col.Protocol")} == {"UDP"}
    known = [data for made in (samples.arp_pair, samples.dns_pair, samples.offer, samples.ping) for _, data in made()]
    assert {name for (name,) in seen(tmp_path, known, "labnet.course")} == {""}


@pytest.mark.parametrize("name", ["arp", "dhcp", "get", "icmp-ping"])
def test_real_captures_of_other_protocols_are_left_alone(name: str) -> None:
    """Those that lie beside the checkout."""
    rows = fields_of(Path(samples.exercise_capture(name)), "labnet.course")
    assert {name for (name,) in rows} == {""}


def test_replies_find_their_questions_by_name(tmp_path: Path) -> None:
    """In any order; a question that is asked again is the same one, and a forged reply answers none."""
    packets = [
        ask(b"a.test"), ask(b"b.test"), ask(b"A.test."),
        tell(b"b.test,1.1.1.1,5"), tell(b"evil.test,6.6.6.6,5"), tell(b"a.test,2.2.2.2,5"), tell(b"a.test,3.3.3.3,5"),
    ]  # fmt: skip
    rows = seen(tmp_path, packets, *LINKS, "labnet.course.repeats", "_ws.expert.message")
    assert rows == [
        ["6", "", "", ""],
        ["4", "", "", ""],
        ["6", "", "1", ""],
        ["", "2", "", ""],
        ["", "", "", "Another name was asked for; labnet ignores this"],
        ["", "1", "", ""],
        ["", "", "", "No question went this way before"],
    ]


def test_a_question_that_an_icmp_error_quotes_is_not_asked_again(tmp_path: Path) -> None:
    """The error is shown as one, with the name in it, and the question has no reply."""
    quoted = IP(src=CLIENT, dst=SERVER) / scapy_UDP(sport=PORT, dport=1199) / b"a.test"
    error = IP(src=SERVER, dst=CLIENT) / ICMP(type=3, code=3) / quoted
    packets = [ask(b"a.test"), samples.frame(samples.CHILD_MAC, samples.CLIENT_MAC, error)]
    rows = seen(tmp_path, packets, "labnet.course.name", "labnet.course.repeats", "labnet.course.response_in")
    assert rows == [["a.test", "", ""], ["a.test", "", ""]]


def test_of_a_datagram_that_is_cut_no_name_is_told(tmp_path: Path) -> None:
    """Its rest may be anything."""
    ((name, says),) = seen(tmp_path, [ask(samples.NAME)], "labnet.course.name", "_ws.expert.message", snap=50)
    assert (name, says) == ("", "The capture has only the beginning of this datagram")


def test_no_datagram_makes_the_dissector_fail(tmp_path: Path) -> None:
    """Two thousand that were damaged, on ports of both kinds."""
    rng = random.Random(1199)
    pieces = [*REPLIES, samples.NAME, b'["', b"\\u", b",", b"]", b"\xff", b"\xd7\x90.test", b"9" * 400]
    packets = []
    for _ in range(2000):
        data = bytearray(b"".join(rng.choices(pieces, k=rng.randint(1, 3))))
        for _ in range(rng.randint(0, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        packets.append(rng.choice((ask, tell))(bytes(data[: rng.randint(1, 600)]), rng.choice((1199, 40000))))
    messages = {message for (message,) in seen(tmp_path, packets, "_ws.expert.message")}
    assert messages
    assert not [message for message in messages if "Lua" in message]


def test_the_folder_can_be_copied_among_the_plugins(tmp_path: Path) -> None:
    """Both files, as every Wireshark finds them in its user's home."""
    shutil.copytree(DISSECTOR.parent, tmp_path / ".local/lib/wireshark/plugins/labnet")
    command = [peers.tool("tshark", "tshark"), "-r", str(samples.DOCS / "trace.pcapng"), "-Y", "labnet.course"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path)})
    assert done.stdout.count("Course") == 4
    assert "Lua" not in done.stderr
