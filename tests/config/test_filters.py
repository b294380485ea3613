"""The tables of lists in the configuration, and every way in which they can be wrong."""

from __future__ import annotations

from labnet.config.reading import Config
from labnet.daemon.running.reload import shared_files, watched_files
from tests.config.test_reading import FolderTestCase

LIST = '[resolver.a]\nlisten = "udp:1"\n[resolver.a.block.ads]\n'


class BlockTableTests(FolderTestCase):
    """``[resolver.NAME.block.LIST]``."""

    def one(self, text: str) -> Config:
        return self.load(LIST + text)

    def test_a_file_is_relative_to_the_configuration(self) -> None:
        """It is watched, and nothing is written over it."""
        built = self.one('file = "ads.txt"\n')
        path = str(self.folder / "conf/ads.txt")
        self.assertEqual(built.resolver["a"].block["ads"].file, path)
        self.assertEqual([*watched_files(built, None)], [path])
        self.assertEqual([*shared_files(built)], [])
        log = f'file = "ads.txt"\n[capture]\nfile = "{path}"\n'
        self.assertEqual(
            [*shared_files(self.one(log))], [f"resolver.a.block: capture.file writes to {path}; name another file"]
        )

    def test_names_and_answers(self) -> None:
        """One or several."""
        table = self.one('names = "*.ads.example"\nanswer = ["192.0.2.1", "2001:DB8::1"]\n').resolver["a"].block["ads"]
        self.assertEqual((table.names, table.answer), (("*.ads.example",), ("192.0.2.1", "2001:db8::1")))
        self.assertEqual(self.one('names = ["a"]\n').resolver["a"].block["ads"].answer, ("nxdomain",))

    def test_what_is_wrong_is_told(self) -> None:
        """With what to do."""
        words = "nxdomain, nodata, zero, refused, allow, or addresses"
        for text, problem in (
            ("", "resolver.a.block.ads: has no names: give it a file, or names"),
            ('names = "a"\nanswer = "no"\n', f"resolver.a.block.ads.answer.0: 'no' is no answer: write {words}"),
            ('names = "a"\nanswer = ["zero", "::"]\n', f"resolver.a.block.ads.answer: must be one of {words}"),
            ('names = "a"\nanswer = []\n', f"resolver.a.block.ads.answer: must be one of {words}"),
            (
                'names = "a*.b"\n',
                "resolver.a.block.ads.names.0: 'a*.b' is no name: write ads.example, or *.ads.example for it and all "
                "below it",
            ),
            (
                'file = "a"\nform = "rpz"\nanswer = "nodata"\n',
                "resolver.a.block.ads: has an answer, which a file of form rpz says itself: leave one of them out",
            ),
            ('names = "a"\nform = "rpz"\n', "resolver.a.block.ads: is of form rpz and has no file: give it one"),
            ('names = "a"\nfiel = "a"\n', "resolver.a.block.ads.fiel: there is no such key; did you mean file?"),
            ('names = "a"\nform = "x"\n', "resolver.a.block.ads.form: must be 'domains', 'hosts' or 'rpz', not 'x'"),
            (
                'names = "a"\nclients = "x"\n',
                "resolver.a.block.ads.clients.0: no network: 'x' does not appear to be an IPv4 or IPv6 network; "
                "write as 192.0.2.0/24",
            ),
        ):
            self.assertEqual(self.problems(LIST + text), [problem])


class OtherKeysTests(FolderTestCase):
    """Stub zones and DNS64."""

    def one(self, text: str) -> list[str]:
        return self.problems(f'[resolver.a]\nlisten = "udp:1"\n{text}')

    def test_servers_of_a_stub_zone(self) -> None:
        """Addresses, at one port; no domain is a stub and forwarded."""
        text = '[resolver.a]\nlisten = "udp:1"\n[resolver.a.stub]\n"b.example" = ["192.0.2.1", "dns:192.0.2.2"]\n'
        servers = self.load(text).resolver["a"].stub["b.example"]
        self.assertEqual(
            [(one.kind, one.host, one.port) for one in servers], [("stub", "192.0.2.1", 53), ("stub", "192.0.2.2", 53)]
        )
        self.assertEqual(
            self.one('stub = { "b" = "root" }'),
            ["resolver.a.stub.b.0: 'root' is no server of a zone: write dns:ADDRESS or dns:ADDRESS:PORT"],
        )
        says = "must be servers at one port, which those of the zones below are asked at too"
        for servers in '["192.0.2.1", "dns:192.0.2.2:5300"]', "[]":
            self.assertEqual(self.one(f'stub = {{ "b" = {servers} }}'), [f"resolver.a.stub.b: {says}"])
        self.assertEqual(
            self.one('stub = { "B" = "192.0.2.1" }\nforward = { "b." = "dns:192.0.2.1" }'),
            ["resolver.a: has b in both forward and stub: leave one of them out"],
        )

    def test_prefixes(self) -> None:
        """Those that a translator may have."""
        for prefix, says in (
            ("64:ff9b::/97", "'64:ff9b::/97' has 97 bits, not 32, 40, 48, 56, 64 or 96 (RFC 6052)"),
            ("64:ff9b::1/96", "no IPv6 network: 64:ff9b::1/96 has host bits set; write as 64:ff9b::/96"),
        ):
            self.assertEqual(self.one(f'dns64 = "{prefix}"'), [f"resolver.a.dns64: {says}"])
