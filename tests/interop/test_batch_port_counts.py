"""What a batch port counts and logs of the ready answers that it gives."""

from __future__ import annotations

import pytest
import pytest_twisted

from labnet.interfaces import AnsweredQuery
from labnet.net.batches.batch import BATCH
from labnet.resolver.clients.counts import Cell
from tests.interop.udpports import CELL, HEADER, Served, reactor


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
@pytest_twisted.ensureDeferred
async def test_ready_answers_are_counted_where_they_belong(interface: str) -> None:
    """Each ready answer counts once, by the labels that it was kept with, also in a batch with others."""
    made = Served(True, interface)
    cells = [Cell("udp", "line", result, "records") for result in ("found", "unknown")]
    for number in range(40):
        made.packets.course.put(b"n%d" % number, b"r%d" % number, 1e12, cells[number % 4 == 0])
    for number in range(50):
        made.client.send(b"n%d" % number)
    await made.receive(50)
    assert [cell.ready for cell in cells] == [30, 10]
    assert sum(made.protocol.counts.ready_seconds.counts) == 40
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_batch_is_counted_by_all_its_answers() -> None:
    """However those of the batch before were to be counted, all in one place or not."""
    made = Served(True, "127.0.0.1")
    cells = {kind: Cell("udp", "line", result, "records") for kind, result in (("a", "found"), ("b", "unknown"))}
    for kind, cell in cells.items():
        made.packets.course.put(f"name {kind}".encode(), kind.encode(), 1e12, cell)
    expected = dict.fromkeys(cells, 0)
    for kinds in ("aaa", "aaa", "aab", "aaa", "abb", "baa", "bbb", "bbb", "b", "a", "ba", "a" * BATCH):
        for kind in kinds:
            made.client.send(f"name {kind}".encode())
            expected[kind] += 1
        reactor.callLater(0, lambda: None)  # nobody waits for more
        made.port.doRead()
        assert {kind: cell.ready for kind, cell in cells.items()} == expected, kinds
        assert b"".join(await made.receive(len(kinds))).decode() == kinds
    await made.close()


@pytest_twisted.ensureDeferred
async def test_sampled_questions_are_logged() -> None:
    """The query log gets its share of the ready answers: who asked, for what, and how long it took."""
    noted: list[AnsweredQuery] = []

    class Log:
        share = 0.25

        def query_log(self, answered: AnsweredQuery) -> None:
            noted.append(answered)

    made = Served(True, "127.0.0.1")
    made.protocol.counts.log = Log()
    question = b"\3www\3lab\0\0\1\0\1"
    made.packets.put_dns(
        b"\0\1" + HEADER + question, b"\0\1\x81\x80\0\1" + bytes(6) + question, question[:9], 1e12, CELL
    )
    made.packets.course.put(b"www.lab", b"yes", 1e12, Cell("udp", "json", "found", "records"))
    for datagram in [b"www.lab"] * 8 + [b"\0\7" + HEADER + question] * 8:
        made.client.send(datagram)
    await made.receive(16)
    assert len(noted) == 4
    host, port = made.client.getsockname()
    assert {note[3:11] for note in noted} == {
        (host, port, "udp", "json", "www.lab", "A", "found", "ready"),
        (host, port, "udp", "dns", "www.lab", "A", "NOERROR", "ready"),
    }
    at = made.port.getHost()
    assert {note.listener for note in noted} == {f"{at.host}:{at.port}"}
    assert {(note.protocol, note.answer) for note in noted} == {("json", "yes"), ("dns", "")}
    assert all(note.seconds >= 0 for note in noted)
    await made.close()
