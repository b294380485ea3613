"""Tests for :mod:`labnet.values.listeners`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.values.listeners import TLSListen, UDPListen, parse_listener

FORM = "write tls:PORT:interface=ADDRESS:certificate=FILE:key=FILE"


class ListenerTests(SynchronousTestCase):
    """How listeners are written."""

    def test_udp_listeners_are_as_ever(self) -> None:
        self.assertEqual(parse_listener("udp:53:interface=::1".replace("::1", r"\:\:1")).interface, "::1")
        self.assertIsInstance(parse_listener("udp:53"), UDPListen)

    def test_options_come_in_any_order_and_colons_are_escaped(self) -> None:
        parsed = parse_listener(r"tls:853:key=a\:b.key:interface=\:\::certificate=c.pem")
        self.assertEqual(parsed, TLSListen(port=853, interface="::", certificate="c.pem", key="a:b.key"))
        self.assertEqual(parse_listener(str(parsed)), parsed)
        self.assertIs(parse_listener(parsed), parsed)

    def test_https_is_written_alike_and_http_without_files(self) -> None:
        for text in (r"https:443:interface=\:\::certificate=c.pem:key=k", "http:8080:interface=127.0.0.1"):
            self.assertEqual(str(parse_listener(text)), text)
        built = reading.build({"resolver": {"a": {"listen": "http:8080"}}}, "/base", "/run")
        self.assertEqual(built.resolver["a"].listen, (TLSListen(kind="http", port=8080),))

    def test_what_is_wrong_is_said_with_how_to_write_it(self) -> None:
        for text, says in (
            ("tls:853", rf"has no certificate or no key: {FORM}; labnet cert makes both"),
            ("tls:853:certificate=a", "has no certificate or no key"),
            ("tls", rf"is no listener of encrypted DNS: {FORM}"),
            ("tls:853:certificate=a:key=b:ca=c", "is no listener of encrypted DNS"),
            ("tls:853:certificate=a:key=b:key=c", "is no listener of encrypted DNS"),
            ("tls:x:certificate=a:key=b", "'x' is no port"),
            ("tls:853:interface=x:certificate=a:key=b", "'x' is no IP address"),
            ("https:443", "has no certificate or no key: write https:PORT:interface=ADDRESS:certificate=FILE:key=FILE"),
            ("http:80:certificate=a:key=b", "is no listener of encrypted DNS: write http:PORT:interface=ADDRESS"),
            ("tcp:53", "is no UDP listener"),
        ):
            with self.assertRaisesRegex(ValueError, says):
                parse_listener(text)

    def test_files_are_relative_to_the_configuration(self) -> None:
        built = reading.build({"resolver": {"a": {"listen": "tls:853:certificate=a.pem:key=/b.key"}}}, "/base", "/run")
        (listen,) = built.resolver["a"].listen
        assert isinstance(listen, TLSListen)
        self.assertEqual(listen.files, ("/base/a.pem", "/b.key"))

    def test_a_missing_package_is_named_with_what_installs_it(self) -> None:
        self.patch(reading, "find_spec", lambda name: None)
        with self.assertRaisesRegex(reading.ConfigError, r"resolver\.a: encrypted DNS needs pyopenssl.*\[tls\]"):
            reading.build({"resolver": {"a": {"listen": "tls:853:certificate=a:key=b"}}}, "/base", "/run")
