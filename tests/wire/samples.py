"""Questions, names and mappings that several tests of the codecs are made of."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from labnet.wire.dns_upstream import Sent, encode_query
from labnet.wire.types import LONGEST_TTL, Mapping, Question, is_name
from tests.resolver.dnsfakes import question

WWW = question("www.example.com")
QUERY = encode_query(WWW, 0x1234, recursion_desired=True, case_bits=0x00_20_00_20 << 64)
SENT = Sent.of(QUERY)

dns_names = st.lists(st.binary(min_size=1, max_size=20), max_size=6).map(
    lambda labels: b"".join(bytes([len(label)]) + label for label in labels).lower() + b"\0"
)
questions = st.builds(Question, dns_names, st.integers(1, 65535))

course_fields = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=","), min_size=1, max_size=20
).filter(is_name)
course_names = course_fields.filter(lambda name: not re.fullmatch(r"[#[{].*|.*=.*|[0-9A-Fa-f.:]+", name))
mappings = st.builds(
    Mapping,
    name=course_names,
    address=course_fields,
    ttl=st.integers(0, LONGEST_TTL),
    learned=st.booleans(),
    since=st.floats(1, 1e12).map(lambda since: round(since, 6)),
)
