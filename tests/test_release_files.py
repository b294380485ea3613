"""The change log, the supported versions and the units for systemd, as they are released."""

from __future__ import annotations

import configparser
import re
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from labnet.config.services import LabConfig
from labnet.daemon import service, tap
from tests.pages import ROOT, options, text_of


class ReleaseTests(SynchronousTestCase):
    """The change log and the unit for systemd."""

    def test_the_newest_version_of_the_change_log_is_this_one(self) -> None:
        """CHANGELOG.md begins with the version that setup.cfg names; behind it are the older ones."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        headings = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", text_of("CHANGELOG.md"), re.MULTILINE)
        self.assertEqual(headings[0], setup["metadata"]["version"])
        self.assertEqual(
            headings, sorted(headings, key=lambda one: [int(part) for part in one.split(".")], reverse=True)
        )
        self.assertEqual(len(headings), len(re.findall(r"^## ", text_of("CHANGELOG.md"), re.MULTILINE)))

    def test_each_change_since_is_a_fragment_of_a_known_kind(self) -> None:
        """docs/changes/SLUG.TYPE.md with something in it."""
        kinds = {kind["directory"] for kind in tomllib.loads(text_of("pyproject.toml"))["tool"]["towncrier"]["type"]}
        for path in (ROOT / "docs/changes").iterdir():
            if path.name != "template.jinja":
                self.assertRegex(path.name, rf"^[a-z0-9-]+\.({'|'.join(kinds)})\.md$")
                self.assertTrue(text_of(path).strip(), path.name)

    def test_each_supported_python_is_named_everywhere(self) -> None:
        """By a classifier and in ``make test-all``; the oldest is what setup.cfg requires."""
        versions = re.findall(r"^ +Programming Language :: Python :: (3\.\d+)$", text_of("setup.cfg"), re.MULTILINE)
        made = re.findall(r"^PYTHONS := (.*)$", text_of("Makefile"), re.MULTILINE)
        self.assertEqual(made, [" ".join(f"python{version}" for version in versions)])
        self.assertIn(f"python_requires = >={versions[0]}\n", text_of("setup.cfg"))

    def test_the_unit_runs_the_lab_in_the_foreground(self) -> None:
        """The unit starts ``twistd labnet`` as Type=notify wants it, with options that it takes, and no pid file."""
        unit = self._unit()
        arguments = unit["ExecStart"][0].split()
        at = arguments.index("labnet")
        self.assertEqual(["notify"], unit["Type"])
        self.assertEqual(["-n", "--pidfile="], arguments[1:at])
        self.assertEqual({"--config", "--quiet"}, {option for option in arguments[at:] if option.startswith("-")})
        self.assertIn("config", options(tap.LabOptions))

    def test_the_unit_can_write_its_state_and_nothing_else(self) -> None:
        """The unit's folder is its state, its user is its own, and it has no capability."""
        unit = self._unit()
        wanted = {
            "DynamicUser": ["yes"],
            "StateDirectory": ["labnet"],
            "WorkingDirectory": ["%S/labnet"],
            "ProtectSystem": ["strict"],
            "NoNewPrivileges": ["yes"],
            "CapabilityBoundingSet": [""],
            "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
        }
        self.assertEqual(wanted, {key: unit.get(key) for key in wanted})

    def test_the_unit_gives_a_stop_the_time_that_it_takes(self) -> None:
        """TimeoutStopSec= is more than the default grace and what closing takes; a reload says how it went."""
        unit = self._unit()
        self.assertGreater(float(unit["TimeoutStopSec"][0]), LabConfig().grace + service.CLOSING)
        file = unit["ExecStart"][0].rpartition(" ")[2]
        self.assertEqual([f"/opt/labnet/bin/labnet reload --config {file}"], unit["ExecReload"])

    def test_the_socket_unit_has_the_listeners_of_the_configuration(self) -> None:
        """Each of etc/labnet.toml stands in etc/labnet.socket: for a resolver as UDP and as TCP."""
        read = tomllib.loads(text_of("etc/labnet.toml"))
        wanted = {("Stream", read["command"].get("listen", "tcp:8080:interface=127.0.0.1"))}
        for resolver in read["resolver"].values():
            wanted |= {("Datagram", resolver["listen"]), ("Stream", resolver["listen"])}
        form = re.compile(r"(?:tcp|udp):(\d+)(?::interface=(.*))?")
        found = [(kind, form.fullmatch(listen)) for kind, listen in wanted]
        self.assertEqual(
            {(kind, f"{match[2] or '127.0.0.1'}:{match[1]}") for kind, match in found if match},
            set(re.findall(r"^Listen(\w+)=(.*)$", text_of("etc/labnet.socket"), re.MULTILINE)),
        )

    def _unit(self) -> dict[str, list[str]]:
        settings: dict[str, list[str]] = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", text_of("etc/labnet.service"), re.MULTILINE):
            settings.setdefault(key, []).append(value)
        return settings
