"""A question that was answered, as the query log is told of it."""

from __future__ import annotations

from typing import Any

from labnet.interfaces import AnsweredQuery

_ONE = AnsweredQuery(
    when=0.0,
    resolver="main",
    listener="127.0.0.1:1199",
    host="::1",
    port=1,
    transport="udp",
    protocol="dns",
    name="a",
    rrtype="A",
    result="NOERROR",
    source="cache",
    answer="192.0.2.7",
    ttl=60,
    parent="dns:192.0.2.53:53",
    seconds=0.0,
    by="",
)


def an_answered_query(**fields: Any) -> AnsweredQuery:
    """One with these ``fields``."""
    return _ONE._replace(**fields)
