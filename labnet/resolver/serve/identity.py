"""Who a server is and what runs there, asked in class CHAOS (RFC 4892)."""

from __future__ import annotations

from typing import Final

from labnet.wire.dns_request import Query
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Rcode, RRset, RRType

CHAOS: Final = 3
_NAMES: Final = ("id.server", "hostname.bind")
_VERSIONS: Final = ("version.server", "version.bind")
_TXT: Final = 16


def identities(name: str, version: str) -> dict[bytes, str]:
    """The text for each key: the server's ``name`` where it has one, and the ``version`` of labnet."""
    texts = dict.fromkeys(_NAMES if name else (), name) | dict.fromkeys(_VERSIONS, f"labnet {version}")
    return {key_of(asked): text for asked, text in texts.items()}


def identity_of(query: Query, texts: dict[bytes, str]) -> Answer | None:
    """The answer to ``query`` from the result of :func:`identities`; None where it asks for something else."""
    text = texts.get(query.question.key)
    if query.rrclass != CHAOS or text is None or query.question.rrtype not in (_TXT, RRType.ANY):
        return None
    data = text.encode()[:255]
    return Answer(Rcode.NOERROR, (RRset(query.name, _TXT, 0, (bytes((len(data),)) + data,)),), authoritative=True)
