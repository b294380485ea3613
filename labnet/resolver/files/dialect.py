"""A records file in the forms of a dialect: names with addresses, and the servers of whole domains (sans-IO)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from labnet.dialects.codec import decode_target
from labnet.dialects.model import Dialect
from labnet.dialects.template import reader_of
from labnet.resolver.files.problem import Problem
from labnet.wire.course_line import TextError, decode_address, decode_name, decode_ttl
from labnet.wire.types import Mapping, Referral, fold

_LINES: Final = 4096  # between two calls of a checkpoint


@dataclass(slots=True)
class FormRecords:
    """What a records file in forms holds."""

    static: list[Mapping] = field(default_factory=list)
    referrals: list[Referral] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse_forms(
    content: bytes, dialect: Dialect, now: float, ttl: int, checkpoint: Callable[[], None] = lambda: None
) -> FormRecords:
    """Read ``content``, a file in the forms of ``dialect`` that counts as loaded at ``now`` (epoch seconds).

    A record that has no TTL gets ``ttl`` (seconds), which only DNS clients see: such records never expire.
    """
    forms = dialect.records
    found = [reader_of(form) for form in forms.found]
    referrals = [reader_of(form) for form in forms.referral]
    shapes = " or ".join(str(form) for form in (*forms.found, *forms.referral))
    records = FormRecords()
    if forms.json and content.lstrip()[:1] in (b"{", b"["):
        return _from_json(content, now, ttl)
    first: dict[str, int] = {}
    for number, raw in enumerate(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), 1):
        if number % _LINES == 0:
            checkpoint()
        try:
            line = raw.decode().strip()
            if not line or (forms.comment and line.startswith(forms.comment)):
                continue
            fields = next((fields for read in referrals if (fields := read(line)) is not None), None)
            if fields is not None:
                records.referrals.append(_referral_of(fields))
                continue
            fields = next((fields for read in found if (fields := read(line)) is not None), None)
            if fields is None:
                raise TextError(f"the line is not of the form {shapes}")
            mapping = _mapping_of(fields, now, ttl)
        except UnicodeDecodeError:
            records.problems.append(Problem(number, "the line is not UTF-8"))
            continue
        except TextError as error:
            records.problems.append(Problem(number, str(error)))
            continue
        before = first.setdefault(fold(mapping.name), number)
        if before != number:
            says = f"{mapping.name} stands in line {before} already; that line is the one answered"
            records.problems.append(Problem(number, says, warning=True))
        records.static.append(mapping)
    return records


def _from_json(content: bytes, now: float, ttl: int) -> FormRecords:
    """The records in a JSON object from name to address, or in a list of objects with NAME, VALUE and TTL."""
    records = FormRecords()
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        records.problems.append(Problem(getattr(error, "lineno", 0), f"the file is no JSON: {error}"))
        return records
    if isinstance(found, dict):
        found = [{"name": name, "value": value} for name, value in found.items()]
    for number, each in enumerate(found, 1):
        fields = {str(key).lower(): value for key, value in each.items()} if isinstance(each, dict) else {}
        try:
            name, address = _json_text(fields, "name"), _json_text(fields, "value")
            own = decode_ttl(str(fields["ttl"])) if "ttl" in fields else ttl
            records.static.append(Mapping(decode_name(name), decode_address(address), own, False, now))
        except TextError as error:
            records.problems.append(Problem(0, f"record {number}: {error}"))
    return records


def _json_text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise TextError(f"has no {key.upper()} that is text")
    return value


def _referral_of(fields: dict[str, str]) -> Referral:
    top = fields.get("top")
    return Referral(fields.get("suffix") or (f".{top}" if top else ""), decode_target(fields["target"]))


def _mapping_of(fields: dict[str, str], now: float, ttl: int) -> Mapping:
    own = fields.get("ttl")
    address = decode_address(fields["address"])
    return Mapping(decode_name(fields["name"]), address, ttl if own is None else decode_ttl(own), False, now)
