"""The sessions of the command server as who looks at the lab sees them."""

from __future__ import annotations

from typing import Any, Final

from labnet.command.gate import Gate
from labnet.command.protocol import CommandProtocol
from labnet.command.telling import Telling
from labnet.net.deadlines import Deadlines

MOST_SHOWN: Final = 500
"""Sessions that are shown, and as many that wait."""


def overview(
    gate: Gate[CommandProtocol], telling: Telling, deadlines: Deadlines[CommandProtocol], now: float, timeout: float
) -> dict[str, Any]:
    """The sessions that are served and those that wait, for JSON: times in seconds, as the reactor counts them."""

    def client(session: CommandProtocol) -> dict[str, Any]:
        host, port = telling.client_of(session)
        return {"host": host, "port": port}

    served, waiting = gate.sessions[: gate.served], gate.sessions[gate.served :]
    return {
        "sessions": [
            {
                "id": telling.id_of(session),
                "client": client(session),
                "since": gate.since(session),
                "left": max(0.0, timeout - (now - deadlines.touched.get(session, now))),
                "commands": telling.commands_of(session),
                "state": session.state,
            }
            for session in served[:MOST_SHOWN]
        ],
        "waiting": [
            {"id": telling.id_of(session), "client": client(session), "place": place, "since": None}
            for place, session in enumerate(waiting[:MOST_SHOWN], 1)
        ],
        "more": max(0, len(served) - MOST_SHOWN) + max(0, len(waiting) - MOST_SHOWN),
    }
