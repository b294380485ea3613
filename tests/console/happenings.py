"""Events as tests of the console have them."""

from __future__ import annotations

import dns.message

from labnet.events import Datagram, Exchange, Step

CLIENT = ("127.0.0.1", 5353)
LISTENER = ("127.0.0.1", 1199)
PARENT = ("127.0.0.1", 1200)
QUERY = dns.message.make_query("www.lab", "A", id=7).to_wire()


def exchange(
    id: str = "1",
    name: str = "www.lab",
    resolver: str = "main",
    result: str = "hit",
    reply: bytes = b"",
    client: tuple[str, int] = CLIENT,
) -> Exchange:
    """A question that was answered from the cache, by DNS."""
    datagrams = (Datagram(10.0, client, LISTENER, QUERY), Datagram(10.5, LISTENER, client, reply))
    why = (Step("cache", {"age": 3, "source": "192.0.2.53:53", "left": 57, "ttl": 60}),)
    listener, began, ended = LISTENER, 10.0, 10.5
    said = ("A 10.0.0.1", 57)
    return Exchange(
        id, resolver, listener, client, "dns", "udp", name, "A", began, ended, result, *said, datagrams, why
    )  # fmt: skip
