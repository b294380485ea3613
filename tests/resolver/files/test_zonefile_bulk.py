"""Many address lines at a time, held against the same lines read one by one."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files import zonefile
from labnet.resolver.files import zonefile_bulk as bulk
from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.files.zonefile_bulk import read_chunk
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import ancestors, key_of, text_of
from labnet.wire.types import Answer, Question, RRset, RRType

NAMES = (
    "a",
    "b",
    "www.lab.test.",
    "mail.lab.test.",
    "x.other.test.",
    "x.deep.lab.test.",
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

BETWEEN = (
    ".lab.test. 60 IN A ",
    ".lab.test.\tA\t",
    " 7 A ",
    "\t60\tIN\tA\t",
    " A ",
    ".deep.lab.test. IN A ",
    ". 60 A ",
)
SLIPS = (
    "",
    " ",
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    ".",
    "60",
    " IN A ",
    "a",
    "A",
    "\x00",
    "\xff",
    "\xa0",
    ".lab.test. 60 IN A ",
)


@st.composite
def uniform(draw: st.DrawFn) -> bytes:
    """Lines as a program writes them, with TTLs of all kinds or of one, and at most one slip in them."""
    between, labels = draw(st.sampled_from(BETWEEN)), draw(st.lists(st.integers(0, 120), min_size=1, unique=True))
    ttls = (0, 60, 120) if draw(st.booleans()) else (60,)
    lines = [
        f"{'w' * (label % 3)}{label}{between.replace('60', str(ttls[label % len(ttls)]))}192.0.2.{label}"
        for label in labels
    ]
    content = "\n".join([*lines, ""])
    at, cut = draw(st.integers(0, len(content))), draw(st.sampled_from((0, 0, 1, 4)))
    return (content[:at] + draw(st.sampled_from(SLIPS)) + content[at + cut :]).encode("latin-1")


def together(content: bytes, behind: str = "lab.test") -> list[bytes] | None:
    found = read_chunk(content, lambda rest: key_of(rest.decode().strip(".") or behind))
    return None if found is None else found.keys


def _answers(zone: Zone, rrsets: list[RRset]) -> list[Answer | None]:
    """What the zone answers for the names of ``rrsets``, those above them, and a name below each."""
    keys = {name for rrset in rrsets for name in ancestors(rrset.key)}
    keys |= {b"\4none" + key for key in keys if len(key) < 250}
    return [zone.find(Question(key, rrtype)) for key in sorted(keys) for rrtype in (RRType.A, RRType.AAAA)]


class BulkTests(SynchronousTestCase):
    def test_a_chunk_of_address_lines_is_read_together(self) -> None:
        """With TTL and class or without them, of one domain or several, relative and not."""
        for content in (
            b"a 60 IN A 192.0.2.1\nb 60 IN A 192.0.2.2\n",
            b"a\t60\tIN\tA\t192.0.2.1\nb.lab.test. 7 A 192.0.2.2\r\n",
            b"a A 192.0.2.1\nb IN A 192.0.2.2\n",
            b"a\t60\tA\t192.0.2.1\nb\t7\tA\t192.0.2.2\n",
            b"a.lab.test. A 192.0.2.1\nb.lab.test. A 192.0.2.2\n",
            b"a 60 IN A 192.0.2.1\nb.lab.test. 60 IN A 192.0.2.2\n",
        ):
            self.assertEqual(together(content), [key_of("a.lab.test"), key_of("b.lab.test")], content)
        names = ["a.lab.test", "longer.lab.test", "b.other.test"]
        lines = "".join(f"{name}. 60 IN A 192.0.2.1\n" for name in names)
        self.assertEqual(together(lines.encode()), [key_of(name) for name in names])

    def test_a_chunk_with_any_other_line_is_left(self) -> None:
        """Other types and forms, capitals, comments, wrong addresses and names: whatever is no address line."""
        good = b"a 60 IN A 192.0.2.1\n"
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
            self.assertIsNone(together(good + line + b"\n" + good), line)

    def test_lines_of_one_form_are_parted_as_columns(self) -> None:
        """Whatever stands between label and address; the TTL may be a column too."""
        self.patch(bulk, "_rows", lambda chunk: None)
        for between in (".lab.test. {} IN A ", " {} IN A ", "\t{}\tIN\tA\t", ".lab.test.\t{} A ", "\t\tA\t", " A "):
            for ttls in ((60, 60, 60), (60, 7, 86400)):
                content = "".join(f"w{ttl}{between.format(ttl)}192.0.2.1\n" for ttl in ttls)
                self.assertEqual(together(content.encode()), [key_of(f"w{ttl}.lab.test") for ttl in ttls], content)

    def test_a_name_that_is_cut_by_the_columns_is_not_read(self) -> None:
        """Lines of the same number of words in all are not taken for lines of the same form."""
        for content in (
            b"a 60 IN A\n192.0.2.1 b 60 IN A 192.0.2.1\n",
            b"a.t. A 192.0.2.1.t. A b\n192.0.2.2\n",
            b"a 60 IN A 192.0.2.1\na\v192.0.2.1\n",
            b"a 60 IN A 192.0.2.1\nb 7\f192.0.2.1\n",
            b"a 60 IN A 192.0.2.1\nb c IN A 192.0.2.1\n",
            b"a 60 IN A 192.0.2.1\nb 60 IN A \n",
        ):
            self.assertIsNone(together(content), content)

    def test_any_origin_will_do(self) -> None:
        """A name can hold every byte, those that part fields and keys too."""
        self.patch(zonefile, "CHUNK", 60)
        for label in (b"\xff", b"\n", b" \v\f", b"x" * 10, b"x" * 46):
            origin = bytes((len(label),)) + label + b"\0"
            zone = Zone()
            escaped = "".join(f"\\{byte:03d}" for byte in label)
            content = f"$ORIGIN {escaped}.\n{''.join(f'h{n} 60 IN A 192.0.2.{n}' + chr(10) for n in range(10))}"
            problems = read_zone(content.encode(), zone.data.add, zone.data.add_addresses)
            self.assertEqual(problems, [])
            self.assertEqual(len(zone), 10)
            self.assertTrue(all(b"\2h%d" % n + origin in zone for n in range(10)))

    @given(LINES, st.booleans())
    def test_the_zone_is_the_same(self, lines: list[str], has_origin: bool) -> None:
        """Whatever the lines, together they make the same answers and the same problems as one by one."""
        self.assert_same("\n".join([*lines, ""]).encode(), "lab.test" if has_origin else None)

    @given(uniform(), st.booleans())
    def test_the_zone_is_the_same_but_for_a_slip(self, content: bytes, has_origin: bool) -> None:
        """Wherever one stands in lines that are all of one form."""
        self.assert_same(content, "lab.test" if has_origin else None)

    def assert_same(self, content: bytes, origin: str | None) -> None:
        """A zone file means the same in bulk as line by line."""
        content = (b"" if origin is None else b"$ORIGIN %b.\n" % origin.encode()) + b"$TTL 60\n" + content
        zones = []
        rrsets: list[RRset] = []

        for in_bulk in (False, True):
            zone = Zone(ZoneData([key_of("lab.test")]))

            def add(rrset: RRset, zone: Zone = zone) -> str | None:
                rrsets.append(rrset)
                return zone.data.add(rrset)

            problems = read_zone(content, add, zone.data.add_addresses if in_bulk else None)
            zone.data.finish()
            zones.append((zone, problems))
        (one, by_line), (other, by_chunk) = zones
        self.assertEqual(by_line, by_chunk)
        self.assertEqual(_answers(one, rrsets), _answers(other, rrsets))
        self.assertEqual(len(one), len(other))

    def test_chunks_and_lines_take_turns(self) -> None:
        """In a large file what is no address line costs its chunk alone, and line numbers and TTLs go on."""
        self.patch(zonefile, "CHUNK", 200)
        hosts = "".join(f"host{n} 60 IN A 192.0.2.{n}\n" for n in range(100))
        long = "long 60 IN TXT (\n one\n two )\n"
        content = f"$TTL 30\n{hosts}{long}{hosts.replace('host', 'other')}last A 192.0.2.1\nwrong A 1\n"
        calls: list[int] = []
        zone = Zone()

        def add_addresses(
            keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]
        ) -> bool:
            calls.append(len(keys))
            return zone.data.add_addresses(keys, ttls, addresses, parents)

        problems = read_zone(b"$ORIGIN lab.test.\n" + content.encode(), zone.data.add, add_addresses)
        self.assertGreater(sum(calls), 150)
        self.assertEqual(len(zone), 202)
        self.assertEqual([problem.line for problem in problems], [207])
        last = zone.find(Question(key_of("last.lab.test"), 1))
        assert last is not None
        self.assertEqual(last.answer[0].ttl, 30)

    def test_a_line_without_a_ttl_has_the_one_before(self) -> None:
        """That of the chunk before, too; a chunk with both kinds of lines is read one by one."""
        lines = [f"h{n} {'7 ' * (n < 6)}{'9 ' * (n == 10)}A 192.0.2.{n}\n" for n in range(12)]
        for size in (len(lines[0]), 3 * len(lines[0]), 1000):
            self.patch(zonefile, "CHUNK", size)
            zone = Zone()
            content = b"$ORIGIN lab.test.\n" + "".join(lines).encode()
            problems = read_zone(content, zone.data.add, zone.data.add_addresses)
            self.assertEqual(problems, [])
            answers = [zone.find(Question(key_of(f"h{n}.lab.test"), 1)) for n in range(12)]
            ttls = [answer.answer[0].ttl for answer in answers if answer is not None]
            self.assertEqual(ttls, [7] * 10 + [9] * 2, size)

    def test_a_name_that_is_there_already_is_merged(self) -> None:
        """A chunk with a name twice, or one of another file, is read line by line."""
        zone = Zone()
        zone.data.add(RRset(key_of("b.lab.test"), 1, 60, (b"\x01\x02\x03\x04",)))
        content = b"$ORIGIN lab.test.\na 60 IN A 192.0.2.1\nb 60 IN A 192.0.2.2\na 60 IN A 192.0.2.3\n"
        read_zone(content, zone.data.add, zone.data.add_addresses)
        for name, count in (("a.lab.test", 2), ("b.lab.test", 2)):
            answer = zone.find(Question(key_of(name), 1))
            assert answer is not None
            self.assertEqual(len(answer.answer[0].rdatas), count, text_of(answer.answer[0].name))
