"""Exchanges and sessions as the API under ``/api/1/`` tells them, each a case that a ladder has to show."""

from __future__ import annotations

from typing import Any

CLIENT, OTHER, LISTENER, PARENT = ("127.0.0.1", 51000), ("127.0.0.1", 51001), ("127.0.0.1", 1199), ("127.0.0.1", 1200)
OWN = ("127.0.0.1", 42460)
"""The port from which the resolver asks its parent."""
BEGAN = 1_700_000_000.0

End = tuple[str, int]


def end(where: End) -> dict[str, Any]:
    return {"host": where[0], "port": where[1]}


def datagram(after: float, source: End, target: End, text: str, kind: str = "sent", **more: Any) -> dict[str, Any]:
    """A datagram ``after`` so many seconds; ``more`` are its ``note`` and ``fault``."""
    told = {"time": BEGAN + after, "kind": kind, "from": end(source), "to": end(target), "text": text}
    return {**told, "note": "", "fault": None, **more}


def exchange(ident: str, name: str, result: str, *datagrams: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An exchange of the client with the resolver "main"."""
    told: dict[str, Any] = {
        "id": ident, "resolver": "main", "listener": end(LISTENER), "client": end(CLIENT), "protocol": "dns",
        "transport": "udp", "name": name, "type": "A", "began": datagrams[0]["time"], "ended": datagrams[-1]["time"],
        "result": result, "answer": "192.0.2.1", "ttl": 60, "joined_to": None, "datagrams": list(datagrams),
        "why": [],
    }  # fmt: skip
    return {**told, **changes}


def hit(ident: str = "1", name: str = "www.lab.test", at: float = 0.0, client: End = CLIENT) -> dict[str, Any]:
    return exchange(
        ident, name, "hit",
        datagram(at, client, LISTENER, f"Query {name} A"), datagram(at + 0.0002, LISTENER, client, "Reply 192.0.2.1"),
        client=end(client),
    )  # fmt: skip


def miss(ident: str = "2", at: float = 1.0, **changes: Any) -> dict[str, Any]:
    return exchange(
        ident, "shop.lab.test", "asked",
        datagram(at, CLIENT, LISTENER, "Query shop.lab.test A"),
        datagram(at + 0.001, OWN, PARENT, "Query shop.lab.test A"),
        datagram(at + 0.020, PARENT, OWN, "Reply 192.0.2.9"),
        datagram(at + 0.021, LISTENER, CLIENT, "Reply 192.0.2.9"),
        **changes,
    )  # fmt: skip


def joined(ident: str = "3", to: str = "2", at: float = 1.0) -> dict[str, Any]:
    """The question to the parent is its own as well, and older than it."""
    return exchange(
        ident, "shop.lab.test", "joined",
        datagram(at + 0.001, OWN, PARENT, "Query shop.lab.test A"),
        datagram(at + 0.010, OTHER, LISTENER, "Query shop.lab.test A"),
        datagram(at + 0.020, PARENT, OWN, "Reply 192.0.2.9"),
        datagram(at + 0.022, LISTENER, OTHER, "Reply 192.0.2.9"),
        client=end(OTHER), joined_to=to,
    )  # fmt: skip


def lost(ident: str = "4", at: float = 2.0) -> dict[str, Any]:
    """The parent is silent, is asked again, and stays silent."""
    ask = "Query gone.lab.test A"
    return exchange(
        ident, "gone.lab.test", "failed",
        datagram(at, CLIENT, LISTENER, ask), datagram(at + 0.001, OWN, PARENT, ask),
        datagram(at + 1.5, PARENT, OWN, "", "silence", note="nothing for 1.5 s"),
        datagram(at + 1.501, (OWN[0], OWN[1] + 1), PARENT, ask, "again"),
        datagram(at + 3.0, PARENT, (OWN[0], OWN[1] + 1), "", "silence", note="nothing for 1.5 s"),
        datagram(at + 3.001, LISTENER, CLIENT, "Reply SERVFAIL", note="No Reachable Authority"),
    )  # fmt: skip


def ended_by(kind: str, ident: str = "5", at: float = 6.0) -> dict[str, Any]:
    """A question that ends in a mark."""
    return exchange(
        ident, "x.lab.test", kind,
        datagram(at, CLIENT, LISTENER, "Query x.lab.test A"),
        why=[{"kind": "rate", "sentence": "over 20 questions a second"}],
    )  # fmt: skip


def spoofed(ident: str = "6", at: float = 7.0) -> dict[str, Any]:
    """A forged reply comes first and is thrown away."""
    ask = "Query bank.lab.test A"
    return exchange(
        ident, "bank.lab.test", "asked",
        datagram(at, CLIENT, LISTENER, ask), datagram(at + 0.001, OWN, PARENT, ask),
        datagram(at + 0.002, PARENT, OWN, "Reply 6.6.6.6", "thrown-away", note="its id is another", fault="spoof"),
        datagram(at + 0.020, PARENT, OWN, "Reply 192.0.2.7"), datagram(at + 0.021, LISTENER, CLIENT, "Reply 192.0.2.7"),
    )  # fmt: skip


def session(ident: str = "s1", at: float = 8.0) -> list[dict[str, Any]]:
    """A client of the command server, closed after its 15 seconds."""
    said = [
        (0.0, "opened", "", "", ""), (0.001, "served", "Connected: your IP address is 127.0.0.1", "", ""),
        (1.0, "command", "TIME", "Sun Nov 29 07:00:00 2026", ""), (16.0, "closed", "", "", "no command for 15 s"),
    ]  # fmt: skip
    ends = {"id": ident, "client": end(("127.0.0.1", 52000)), "server": end(("127.0.0.1", 8080))}
    return [
        {**ends, "time": BEGAN + at + after, "what": what, "text": text, "reply": reply, "why": why}
        for after, what, text, reply, why in said
    ]
