"""Many plain lines at a time, held against the same lines read one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver import masterfile
from labnet.resolver.bulk import read_chunk
from labnet.resolver.model import Question, RRset
from labnet.resolver.names import key_of, text_of
from labnet.resolver.zone import Zone
from labnet.resolver.zonefiles import read_zone

NAMES = (
    "a",
    "b",
    "www.lab.test.",
    "mail.lab.test.",
    "x.other.test.",
    "A",
    "lab.test.",
    "h.invalid.",
    "invalid.",
    ".",
    "@",
)
LINES = st.lists(
    st.one_of(
        st.builds(
            "{}{}{}{}A {}".format,
            st.sampled_from((*NAMES, *(f"h{n}" for n in range(20)), "", "*", "a..b", "x" * 64, "a b", "name;")),
            st.sampled_from((" ", "\t", "  ")),
            st.sampled_from(("", "60 ", "60 ", "7 ", "0060 ", "9999999999 ", "1h ")),
            st.sampled_from(("IN ", "IN ", "in ", "", "CH ")),
            st.sampled_from(
                ("192.0.2.1", "10.0.0.7", "1.2.3", "1.2.3.999", "01.2.3.4", "::1", "1.2.3.4 ; why", "1.2.3.4\r")
            ),
        ),
        st.sampled_from(
            ("", "$ORIGIN lab.test.", "$TTL 30", "; words", "c 60 IN AAAA 2001:db8::1", "d 60 IN (", "A 1.2.3.4 )")
        ),
    ),
    max_size=12,
)


def together(content: bytes, behind: str = "lab.test") -> list[bytes] | None:
    found = read_chunk(content, lambda rest: key_of(rest.decode().strip(".") or behind))
    return None if found is None else found.keys


def _values(zone: Zone) -> dict[bytes, bytes | None]:
    table = zone._nodes.bulk()
    keys = [key for key, _ in zone._nodes.others()] + [table.key(number) for _, number in table.addresses()]
    return {key: zone._nodes.get(key) for key in keys}


class BulkTests(SynchronousTestCase):
    def test_a_chunk_of_plain_lines_is_read_together(self) -> None:
        """With TTL and class or without them, of one domain or several, relative and not."""
        for content in (
            b"a 60 IN A 192.0.2.1\nb 60 IN A 192.0.2.2\n",
            b"a\t60\tIN\tA\t192.0.2.1\nb.lab.test. 7 A 192.0.2.2\r\n",
            b"a A 192.0.2.1\nb IN A 192.0.2.2\n",
        ):
            self.assertEqual(together(content), [key_of("a.lab.test"), key_of("b.lab.test")], content)

    def test_a_chunk_with_any_other_line_is_left(self) -> None:
        """Other types and forms, capitals, comments, wrong addresses and names: whatever is not plain."""
        plain = b"a 60 IN A 192.0.2.1\n"
        for line in (
            b"",
            b"b 60 IN AAAA ::1",
            b"B 60 IN A 192.0.2.1",
            b" 60 IN A 192.0.2.1",
            b"b 60 IN A 192.0.2",
            b"b 60 CH A 1.2.3.4",
            b"* 60 IN A 192.0.2.1",
            b"b 60 IN A 192.0.2.1 ; why",
            b"$TTL 60",
            b"x" * 64 + b" 60 IN A 192.0.2.1",
            b"b 1h IN A 1.2.3.4",
            b"b 60 IN A 192.0.2.01",
            b"b 1234567890 IN A 192.0.2.1",
        ):
            self.assertIsNone(together(plain + line + b"\n" + plain), line)

    def test_a_name_that_is_cut_by_the_columns_is_not_read(self) -> None:
        """Lines of the same number of words in all are not taken for lines of the same form."""
        self.assertIsNone(together(b"a 60 IN A\n192.0.2.1 b 60 IN A 192.0.2.1\n"))

    @given(LINES, st.booleans())
    def test_the_zone_is_the_same(self, lines: list[str], has_origin: bool) -> None:
        """Whatever the lines, together they make the same answers and the same problems as one by one."""
        content = "\n".join([*lines, ""]).encode()
        origin = "lab.test" if has_origin else None
        zones = []
        for in_bulk in (False, True):
            zone = Zone([key_of("lab.test")])
            file = read_zone(content, zone.add, origin, 60, zone.add_addresses if in_bulk else None)
            zone.finish()
            zones.append((zone, file))
        (one, by_line), (other, by_chunk) = zones
        self.assertEqual(by_line.problems, by_chunk.problems)
        self.assertEqual(by_line.origin, by_chunk.origin)
        self.assertEqual(_values(one), _values(other))
        self.assertEqual(len(one), len(other))

    def test_chunks_and_lines_take_turns(self) -> None:
        """In a large file what is not plain costs its chunk alone, and line numbers and TTLs go on."""
        self.patch(masterfile, "CHUNK", 200)
        plain = "".join(f"host{n} 60 IN A 192.0.2.{n}\n" for n in range(100))
        long = "long 60 IN TXT (\n one\n two )\n"
        content = f"$TTL 30\n{plain}{long}{plain.replace('host', 'other')}last A 192.0.2.1\nwrong A 1\n"
        calls: list[int] = []
        zone = Zone()

        def add_addresses(keys: list[bytes], ttls: list[int], addresses: list[bytes]) -> bool:
            calls.append(len(keys))
            return zone.add_addresses(keys, ttls, addresses)

        file = read_zone(content.encode(), zone.add, "lab.test", add_addresses=add_addresses)
        self.assertGreater(sum(calls), 150)
        self.assertEqual(len(zone), 202)
        self.assertEqual([problem.line for problem in file.problems], [206])
        last = zone.find(Question(key_of("last.lab.test"), 1))
        assert last is not None
        self.assertEqual(last.answer[0].ttl, 30)

    def test_a_name_that_is_there_already_is_merged(self) -> None:
        """A chunk with a name twice, or one of another file, is read line by line."""
        zone = Zone()
        zone.add(RRset(key_of("b.lab.test"), 1, 60, (b"\x01\x02\x03\x04",)))
        content = b"a 60 IN A 192.0.2.1\nb 60 IN A 192.0.2.2\na 60 IN A 192.0.2.3\n"
        read_zone(content, zone.add, "lab.test", add_addresses=zone.add_addresses)
        for name, count in (("a.lab.test", 2), ("b.lab.test", 2)):
            answer = zone.find(Question(key_of(name), 1))
            assert answer is not None
            self.assertEqual(len(answer.answer[0].rdatas), count, text_of(answer.answer[0].name))
