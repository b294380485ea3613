"""What a capture shows as ladders: an exchange with the questions to parents that it caused, and a TCP connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labnet.capture.traffic.exchanges import PATIENCE, CapturedExchange
from labnet.capture.traffic.sessions import CapturedSession
from labnet.ladder.model import Arrow, ArrowKind, Column, Ladder
from labnet.net.addresses import address_text

_AGAIN = ("again", "partly_again", "fills", "keep_alive", "probe")


def exchange_ladder(exchange: CapturedExchange) -> Ladder:
    """The ladder of a question, with the questions to parents that it caused."""
    ladder = Ladder(f"{exchange.protocol} exchange about {exchange.name}")
    ladder.columns.append(Column("client", address_text(*exchange.client)))
    arrows: list[tuple[int, Arrow]] = []
    _add_exchange(ladder, exchange, 0, arrows)
    for _, arrow in sorted(arrows, key=lambda one: (one[1].time_ns, one[0])):
        ladder.add(arrow)
    return ladder


def _add_exchange(ladder: Ladder, exchange: CapturedExchange, depth: int, arrows: list[tuple[int, Arrow]]) -> None:
    if len(ladder.columns) < depth + 2:
        role = "server" if depth == 0 else "parent" if depth == 1 else f"parent {depth}"
        ladder.columns.append(Column(role, address_text(*exchange.server)))
    ports = f"port {exchange.client[1]} → {exchange.server[1]}"
    for number, step in enumerate((exchange.question, *exchange.retries)):
        kind = ArrowKind.RETRY if number else ArrowKind.SENT
        where = f"frame {step.frame} · {ports}"
        arrows.append((step.frame, Arrow(step.time_ns, depth, depth + 1, step.says, where, kind)))
    for parent in exchange.parents:
        _add_exchange(ladder, parent, depth + 1, arrows)
    if exchange.answer is not None:
        answer = exchange.answer
        where = f"frame {answer.frame} · port {answer.source[1]} → {answer.destination[1]}"
        arrows.append((answer.frame, Arrow(answer.time_ns, depth + 1, depth, answer.says, where)))
    else:
        last = (exchange.retries or [exchange.question])[-1]
        says = f"no answer in this capture (looked for {PATIENCE // 1_000_000_000} s)"
        arrows.append((last.frame, Arrow(last.time_ns + 1, depth, depth + 1, says, kind=ArrowKind.SILENCE)))


def session_ladder(session: CapturedSession) -> Ladder:
    """The ladder of a TCP connection."""
    ladder = Ladder(f"{session.protocol or 'TCP'} session")
    ladder.columns = [Column("client", address_text(*session.client)), Column("server", address_text(*session.server))]
    for event in session.events:
        if event.who in ("client", "server"):
            start, end = (0, 1) if event.who == "client" else (1, 0)
            kind = ArrowKind.RETRY if event.kind in _AGAIN else ArrowKind.SENT
            ladder.add(Arrow(event.time_ns, start, end, event.says, f"frame {event.frame} · {event.kind}", kind))
    ladder.more += session.untold
    return ladder


def ladders(happened: Iterable[CapturedExchange | CapturedSession]) -> Iterator[Ladder]:
    """The ladder of each."""
    for one in happened:
        yield exchange_ladder(one) if isinstance(one, CapturedExchange) else session_ladder(one)
