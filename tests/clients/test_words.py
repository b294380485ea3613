"""The words of labnet resolve and labnet command."""

from __future__ import annotations

import itertools

from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.words import Words, read_command, read_question, rrtype_of


def question(line: str, port: int | None = None, is_named: bool = False) -> Words:
    return read_question(line.split(), port, is_named)


class QuestionTests(SynchronousTestCase):
    """What is asked, and where."""

    def test_server_and_port_come_first_or_as_dig_has_them(self) -> None:
        for line, port, server, found, names in [
            ("127.0.0.1 1199 a.b c.d", None, "127.0.0.1", 1199, ("a.b", "c.d")),
            ("localhost 1199 a.b", None, "localhost", 1199, ("a.b",)),
            ("::1 1199", None, "::1", 1199, ()),
            ("127.0.0.1", None, "127.0.0.1", None, ()),
            ("a.b @127.0.0.1", None, "127.0.0.1", None, ("a.b",)),
            ("@ns.lab.test a.b", 53, "ns.lab.test", 53, ("a.b",)),
            ("127.0.0.1 a.b", 53, "127.0.0.1", 53, ("a.b",)),
            ("a.b c.d", 53, None, 53, ("a.b", "c.d")),
            ("a.b c.d", None, None, None, ("a.b", "c.d")),
            ("", None, None, None, ()),
        ]:
            said = question(line, port)
            self.assertEqual((line, said.server, said.port, said.rest), (line, server, found, names))
            self.assertFalse(said.dns, line)

    def test_names_types_server_and_options_stand_in_any_order(self) -> None:
        for words in itertools.permutations(("@127.0.0.1", "example.org", "mx", "+tcp")):
            said = read_question(words)
            self.assertEqual((said.server, said.rest, said.types), ("127.0.0.1", ("example.org",), ("MX",)))
            self.assertEqual((said.dns, said.tcp), (True, True))

    def test_a_word_is_a_type_only_beside_a_name(self) -> None:
        """A name of one label may look like one."""
        for line, is_named, names, types in [
            ("127.0.0.1 1199 a", False, ("a",), ()),
            ("mx ns", False, ("mx",), ("NS",)),
            ("ns", True, (), ("NS",)),
            ("type65 a.b", False, ("a.b",), ("HTTPS",)),
            ("a.b A AAAA", False, ("a.b",), ("A", "AAAA")),
            ("a.b ä", False, ("a.b", "ä"), ()),
        ]:
            said = question(line, is_named=is_named)
            self.assertEqual((line, said.rest, said.types, said.dns), (line, names, types, bool(types)))

    def test_digs_options(self) -> None:
        said = question("a.b +short +trace +time=2 +tries=5")
        self.assertEqual((said.dns, said.trace, said.timeout, said.tries), (True, True, 2.0, 5))

    def test_encryption_is_named_as_kdig_names_it(self) -> None:
        said = read_question(["@192.0.2.1", "a.test", "+tls", "+tls-ca=ca.pem", "+tls-hostname=dns.test"])
        self.assertEqual((said.scheme, said.ca, said.tls_name, said.dns), ("tls", "ca.pem", "dns.test", True))
        self.assertEqual(read_question(["a.test", "+https"]).scheme, "https")

    def test_what_is_wrong_is_a_sentence(self) -> None:
        for line, says in [
            ("127.0.0.1 http", "'http' is no port"),
            ("a.b 99999", "'99999' is no port"),
            ("@a @b", "@a and @b exclude each other"),
            ("+dnssec a.b", r"there is no \+dnssec: \+short"),
        ]:
            with self.assertRaisesRegex(ValueError, says):
                question(line)


class CommandTests(SynchronousTestCase):
    """What is said, and where."""

    def test_server_and_port_come_first_or_none(self) -> None:
        for line, port, server, found, rest in [
            ("TIME EXIT", None, None, None, ("TIME", "EXIT")),
            ("127.0.0.1 8080 TIME", None, "127.0.0.1", 8080, ("TIME",)),
            ("@localhost TIME @x", 8080, "localhost", 8080, ("TIME", "@x")),
            ("TIME", 8080, None, 8080, ("TIME",)),
        ]:
            said = read_command(line.split(), port)
            self.assertEqual((line, said.server, said.port, said.rest), (line, server, found, rest))


class TypeTests(SynchronousTestCase):
    """Names of types."""

    def test_a_type_has_its_usual_name(self) -> None:
        for text, name in [("mx", "MX"), ("TYPE15", "MX"), ("type4711", "TYPE4711"), ("no", None), ("TYPE99999", None)]:
            self.assertEqual(rrtype_of(text), name, text)
