"""Keys for signed messages, and who is told to use them, in the configuration."""

from __future__ import annotations

import base64
import pickle
from typing import Any

from labnet.config.reading import Config, ConfigError, build
from labnet.values.servers import KeyName, ServerAddress
from labnet.wire.names import key_of
from tests.config.test_reading import FolderTestCase

SECRET = base64.b64encode(b"nobody's to read").decode()


class KeyTests(FolderTestCase):
    """``[key.NAME]``, and the keys of a resolver that name servers and keys."""

    def build(self, key: Any = None, **resolver: Any) -> Config:
        """The configuration with one resolver, and the key ``Lab.Key``."""
        table = {"resolver": {"main": {"listen": "udp:1199", **resolver}}}
        return build(table | {"key": {"Lab.Key.": {"secret": SECRET} if key is None else key}}, str(self.folder), "run")

    def problems(self, key: Any = None, **resolver: Any) -> tuple[str, ...]:
        """What is wrong."""
        with self.assertRaises(ConfigError) as caught:
            self.build(key, **resolver)
        return caught.exception.problems

    def test_secret_is_in_the_table_or_in_a_file(self) -> None:
        """A key goes by its name in small letters, without a dot at its end."""
        (self.folder / "secret").write_text(SECRET + "\n")
        for table in ({"secret": SECRET}, {"secret_file": "secret"}):
            keys = self.build(table).resolver["main"].keys
            self.assertEqual([(name, key.secret) for name, key in keys.items()], [("lab.key", b"nobody's to read")])

    def test_secret_is_shown_nowhere(self) -> None:
        """Neither in what stands for the configuration nor in what is wrong with it."""
        shown = [repr(self.build()), str(self.build().key)]
        for wrong in (SECRET + "!", [SECRET], {"x": SECRET}):
            shown += self.problems({"secret": wrong})
        shown += self.problems({"secret": SECRET, "secret_file": "secret"})
        shown += self.problems({"secret": SECRET, "algorithm": "hmac-md5"})
        (self.folder / "secret").write_text("x" + SECRET)
        shown += self.problems({"secret_file": "secret"})
        for text in shown:
            self.assertNotIn(SECRET[:-2], text)
            self.assertNotIn("nobody's", text)

    def test_what_is_wrong_is_said(self) -> None:
        """Where it is and what to do."""
        self.assertEqual(self.problems({}), ("key.Lab.Key.: needs either secret or secret_file",))
        (says,) = self.problems({"secret": "?"})
        self.assertEqual(says, "key.Lab.Key..secret: must be a secret in base64, such as tsig-keygen makes")
        (says,) = self.problems({"secret_file": "none"})
        self.assertIn("none cannot be read: No such file or directory", says)
        (says,) = self.problems(transfer="key:other")
        self.assertEqual(
            says, "resolver.main.transfer: there is no key 'other': add a [key.other] table, or mend the name"
        )
        (says,) = self.problems(zones="LAB.test", secondary={"lab.test.": "192.0.2.1"})
        self.assertIn("is one of zones too", says)
        (says,) = self.problems(secondary={"lab.test.": []})
        self.assertIn("must name at least one primary", says)

    def test_servers_and_keys_are_named_where_they_are_used(self) -> None:
        """An address, a port where it is not 53, a key."""
        forms = {
            "192.0.2.1": ServerAddress(host="192.0.2.1"),
            "192.0.2.1:5300": ServerAddress(host="192.0.2.1", port=5300),
            "2001:db8::1": ServerAddress(host="2001:db8::1"),
            "[2001:db8::1]:5300 key:LAB.key.": ServerAddress(host="2001:db8::1", port=5300, key="lab.key"),
        }
        config = self.build(notify=list(forms), secondary={"lab.test": list(forms)}, transfer=["key:lab.key"])
        self.assertEqual(config.resolver["main"].notify, tuple(forms.values()))
        self.assertEqual(config.resolver["main"].secondary["lab.test"], tuple(forms.values()))
        self.assertEqual(config.resolver["main"].transfer, (KeyName(name="lab.key"),))
        for wrong in ("", "ns.lab.test", "192.0.2.1:0", "192.0.2.1 lab.key", "192.0.2.1 key:a key:b", "192.0.2.1 key:"):
            self.assertTrue(self.problems(notify=wrong)[0].startswith("resolver.main.notify.0: "), wrong)
        for wrong in ("key:", "key:a..b", "lab.key"):
            self.assertTrue(self.problems(transfer=wrong)[0].startswith("resolver.main.transfer.0"), wrong)

    def test_workers_get_keys_and_folder_with_the_rest(self) -> None:
        """What is pickled and copied has them too."""
        config = pickle.loads(pickle.dumps(self.build())).resolver["main"].model_copy(update={"batch": False})
        self.assertEqual(set(config.keys), {"lab.key"})
        self.assertTrue(config.zone_file(key_of("a/b")).endswith("/run/var/secondary/main/a%2Fb.zone"))
