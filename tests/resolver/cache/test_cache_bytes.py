"""What a cache says that it takes, against what it takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.cache import Cache
from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import CachedAnswer, decode_dns_line, encode_dns_line
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.wire.names import key_of
from labnet.wire.types import Answer, ExtendedError, InfoCode, Mapping, Question, Rcode, RRset, RRType

TXT = 16


def records(number: int, count: int, size: int, rrtype: int = TXT) -> RRset:
    """``count`` records of ``size`` bytes each, none of which shares its memory with another."""
    return RRset(bytes(bytearray(name(number))), rrtype, 60, tuple(bytes(bytearray(size)) for _ in range(count)))


def name(number: int) -> bytes:
    return key_of(f"host{number:06}.example.org")


def cached(number: int, *rrsets: RRset, errors: tuple[ExtendedError, ...] = ()) -> CachedAnswer:
    answer = Answer(Rcode.NOERROR, rrsets, errors=errors)
    return Question(name(number), TXT), Entry(answer, 1000.0 + number, 60, "192.0.2.1:53")


def alone(number: int, count: int) -> CachedAnswer:
    asked = Question(name(number), RRType.A)
    return asked, Entry(tuple(bytes((at, 0, 0, 1)) for at in range(count)), 1000.0 + number, 60, "p", question=asked)


def error(text: str) -> ExtendedError:
    return ExtendedError(InfoCode.OTHER, text)


def course(number: int, address: str) -> CachedAnswer:
    mapping = Mapping(f"host{number:06}.example.org", address, 60, True, 1000.0 + number)
    return entry_of_mapping(name(number), mapping, "learned")


SHAPES: dict[str, Callable[[int], CachedAnswer]] = {
    "an address": lambda number: cached(number, records(number, 1, 4, RRType.A)),
    "many small records": lambda number: cached(number, records(number, 500, 2)),
    "one large record": lambda number: cached(number, records(number, 1, 4000)),
    "a chain": lambda number: cached(number, *(records(number, 1, 30) for _ in range(8))),
    "a long error": lambda number: cached(number, errors=(error("x" * 3000 + str(number)),)),
    "an error of wide characters": lambda number: cached(number, errors=(error("\u05d0" * 3000 + str(number)),)),
    "many errors": lambda number: cached(number, errors=tuple(error(f"{number} {at}") for at in range(30))),
    "a course answer": lambda number: course(number, f"192.0.2.{number % 250}"),
    "a course answer that is no address": lambda number: course(number, f"21.09.1992.{number}"),
    "records alone": lambda number: decode_dns_line(encode_dns_line(alone(number, 1)).encode()),
    "several records alone": lambda number: decode_dns_line(encode_dns_line(alone(number, 20)).encode()),
    "a line of a log": lambda number: decode_dns_line(
        encode_dns_line(cached(number, records(number, 1, 4, RRType.A))).encode()
    ),
}


class BytesTests(SynchronousTestCase):
    """Memory as Python counts it."""

    def test_the_bytes_of_a_cache_are_what_it_takes_within_a_fifth(self) -> None:
        """Whatever the shape of the answers in it."""
        for shape, make in SHAPES.items():
            cache = Cache(10**9)
            make(0)
            gc.collect()
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            for number in range(500):
                cache.put(*make(number))
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            self.assertLess(abs(cache.bytes - taken), taken / 5, shape)
