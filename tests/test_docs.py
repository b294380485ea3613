"""The documentation is held to the code: tables, options, limits, examples and file names."""

from __future__ import annotations

import configparser
import dataclasses
import importlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from labnet import cli, config
from labnet.daemon import service, tap
from labnet.wire.types import InfoCode

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.rst"))]
ROW = re.compile(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", re.DOTALL | re.MULTILINE)

Table = dict[str, list[str]]


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _plain(text: str) -> str:
    """``text`` in one line, without the marks of code."""
    return " ".join(text.replace("`", "").split())


def _sections(page: str, heading: str) -> dict[str, str]:
    """The text under each heading; ``heading`` matches one, its title as its group."""
    parts = re.split(heading, _text(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _markdown_table(text: str) -> Table:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    return {_plain(cells[0]): [_plain(cell) for cell in cells[1:]] for cells in rows if cells[0].startswith("`")}


def _list_table(text: str) -> Table:
    rows = [re.split(r"^     - ", row, flags=re.MULTILINE) for row in ROW.findall(text)]
    return {_plain(cells[0]): [_plain(cell) for cell in cells[1:]] for cells in rows if cells[0].startswith("`")}


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Each table of the configuration with its heading, which its docstring starts with."""
    for value in vars(config).values():
        if isinstance(value, type) and issubclass(value, config._Table) and value not in (config._Table, config.Config):
            yield (value.__doc__ or "").split("``")[1], value


def _default(field: FieldInfo) -> str:
    """The default as the tables write it: as TOML, a list of one as its only item."""
    if field.is_required():
        return "needed"
    with mock.patch.dict(os.environ):
        os.environ.pop("STATE_DIRECTORY", None)
        value: Any = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, tuple):
        value = [str(item) for item in value]
        value = value[0] if len(value) == 1 else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def _options(plugin: type[usage.Options]) -> dict[str, str | None]:
    """The long options of a plugin with their defaults; a flag has None."""
    flags = {flag[0]: None for flag in getattr(plugin, "optFlags", ())}
    return {parameter[0]: parameter[2] for parameter in plugin.optParameters} | flags


def _commands() -> Iterator[list[str]]:
    """The ``labnet`` command lines in the pages, as their arguments."""
    for page in PAGES:
        for line in re.findall(r"^ *[$#] (?:\S*/)?labnet (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield re.split(r" [|>;] ", line)[0].split()


class ConfigurationTableTests(SynchronousTestCase):
    """README.md and docs/configuration.rst against :mod:`labnet.config`."""

    def test_readme_has_every_key_with_its_default(self) -> None:
        """Each table of README.md has the keys of its model, all of them and no others, with their defaults."""
        sections = _sections("README.md", r"^### `(\[.*\])`$")
        for heading, model in _tables():
            rows = _markdown_table(sections[heading].partition("\n## ")[0])
            defaults = {key: cells[1] for key, cells in rows.items()}
            self.assertEqual({key: _default(field) for key, field in model.model_fields.items()}, defaults, heading)

    def test_the_page_has_every_key_with_its_default(self) -> None:
        """Each table of docs/configuration.rst has the keys of its model, all and no others, with their defaults."""
        sections = _sections("docs/configuration.rst", r"^(\[.*\])\n-+$")
        for heading, model in _tables():
            rows = _list_table(sections[heading])
            defaults = {key: cells[1] for key, cells in rows.items()}
            self.assertEqual({key: _default(field) for key, field in model.model_fields.items()}, defaults, heading)

    def test_the_page_says_what_the_code_says(self) -> None:
        """The meaning of each key in docs/configuration.rst is its description in the code."""
        sections = _sections("docs/configuration.rst", r"^(\[.*\])\n-+$")
        for heading, model in _tables():
            rows = _list_table(sections[heading])
            for key, field in model.model_fields.items():
                description = _plain(field.description or "").rstrip(".")
                self.assertTrue(description, f"{heading} {key} has no description")
                self.assertIn(description, rows[key][2], f"{heading} {key}")

    def test_each_choice_is_named(self) -> None:
        """Where a key takes one of a few words, both tables name each of them."""
        readme = _sections("README.md", r"^### `(\[.*\])`$")
        page = _sections("docs/configuration.rst", r"^(\[.*\])\n-+$")
        for heading, model in _tables():
            for key, field in model.model_fields.items():
                for choice in re.findall(
                    r"'(\w+)'", str(field.annotation) if "Literal" in str(field.annotation) else ""
                ):
                    self.assertIn(f'"{choice}"', _markdown_table(readme[heading])[key][0])
                    self.assertIn(f'"{choice}"', _list_table(page[heading])[key][0])


class CommandLineTests(SynchronousTestCase):
    """README.md's command lines against :mod:`labnet.daemon.tap` and :mod:`labnet.cli`."""

    def test_readme_has_every_option_of_the_plugins(self) -> None:
        """The table below each plugin has its options, all of them and no others, with their defaults."""
        sections = _sections("README.md", r"^\*\*`twistd -n (\S+).*?`\*\*")
        plugins = {
            "labnet": tap.LabOptions,
            "labnet-command": tap.CommandOptions,
            "labnet-resolver": tap.ResolverOptions,
        }
        self.assertEqual(sections.keys(), plugins.keys())
        for name, plugin in plugins.items():
            rows = _markdown_table(sections[name].partition("\n## ")[0])
            options = _options(plugin)
            self.assertEqual({f"--{option}" for option in options}, rows.keys(), name)
            for option, default in options.items():
                if default:
                    self.assertEqual(default, rows[f"--{option}"][0], f"{name} --{option}")

    def test_every_labnet_command_can_be_typed(self) -> None:
        """Each ``labnet`` command line in the pages is one that the command takes."""
        commands = list(_commands())
        self.assertTrue(commands)
        for arguments in commands:
            cli._parser().parse_args(arguments)

    def test_every_make_target_exists(self) -> None:
        """Each ``make`` target in README.md stands in the Makefile, and the other way round."""
        phony = re.search(r"^\.PHONY: (.*)$", _text("Makefile"), re.MULTILINE)
        assert phony is not None
        targets = {target for target in phony[1].split() if re.search(rf"^{target}:.*\n\t", _text("Makefile"), re.M)}
        targets |= {"test"}
        self.assertEqual(targets, set(re.findall(r"`make (\w+)`", _text("README.md"))))


class ExampleTests(SynchronousTestCase):
    """What the pages quote from the code and the files."""

    def test_every_toml_example_is_a_configuration(self) -> None:
        """Each TOML block in the pages is a configuration without an error, or one but for its servers."""
        blocks = [
            re.sub(r"^   ", "", block, flags=re.MULTILINE)
            for page in PAGES
            for block in re.findall(
                r"^\.\. code-block:: toml\n\n((?:   .*\n|\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE
            )
        ]
        self.assertTrue(blocks)
        for block in blocks:
            table = tomllib.loads(block)
            config.build(table if {"command", "resolver"} & table.keys() else {**table, "command": {}}, ".", ".")

    def test_every_limit_is_the_codes(self) -> None:
        """Each row of a table of limits has the value of the name that it gives."""
        limits = 0
        for page in ("docs/command-server.rst", "docs/course-protocol.rst", "docs/dns.rst", "docs/recursion.rst"):
            for row in ROW.findall(_text(page)):
                cells = [_plain(cell) for cell in re.split(r"^     - ", row, flags=re.MULTILINE)]
                if len(cells) == 3 and cells[2].startswith("labnet."):
                    limits += 1
                    self.assertEqual(str(_named(cells[2])), cells[1], f"{page}: {cells[2]}")
        self.assertTrue(limits)

    def test_every_file_named_exists(self) -> None:
        """Each source file and link that the pages name is there."""
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            named = set(re.findall(r"`((?:labnet|docs|etc|tests|twisted)/[\w./-]+)`", text))
            named.discard("docs/_build")  # made by make docs
            named |= {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
            for path in named:
                self.assertTrue((ROOT / path).exists(), f"{page.name} names {path}, which is not there")

    def test_the_picture_has_the_rooms_as_they_are(self) -> None:
        """Each module in the picture of docs/architecture.rst is there, in the room under which it stands."""
        picture = _text("docs/architecture.rst").partition("code-block:: text")[2].partition("The rooms\n")[0]
        modules = set(re.findall(r"[\w/]+\.py", picture))
        self.assertTrue(modules)
        for module in modules:
            places = [ROOT / "labnet", ROOT / "labnet/resolver"]
            self.assertTrue(any((place / module).exists() for place in places), f"{module} is not there")

    def test_every_module_of_both_servers_is_explained(self) -> None:
        """docs/architecture.rst names each module of the command server, of the resolver, and at the package's top."""
        named = set(re.findall(r"\b\w+\.py\b", _text("docs/architecture.rst")))
        for folder in (
            "labnet",
            "labnet/daemon",
            "labnet/daemon/running",
            "labnet/command",
            "labnet/resolver",
        ):
            for path in (ROOT / folder).glob("*.py"):
                if path.name != "__init__.py":
                    self.assertIn(path.name, named, f"docs/architecture.rst does not say what {path} is for")

    def test_every_module_of_the_resolver_in_the_table_exists(self) -> None:
        """Each module in the table of docs/architecture.rst is there."""
        table = (
            _text("docs/architecture.rst").partition("The modules of the resolver\n")[2].partition("\nA TCP line")[0]
        )
        modules = re.findall(r"^   \* - (``.*``)$", table, re.MULTILINE)
        self.assertTrue(modules)
        for module in re.findall(r"[\w/]+\.py", " ".join(modules)):
            places = [ROOT / "labnet", ROOT / "labnet/resolver"]
            self.assertTrue(any((place / module).exists() for place in places), f"{module} is not there")

    def test_every_record_of_the_tree_is_the_trees(self) -> None:
        """Where a page shows a file of etc/tree, it is the file as it is."""
        text = re.sub(r"^   ", "", _text("docs/recursion.rst"), flags=re.MULTILINE)
        self.assertIn(_text("etc/tree/root.hints"), text)

    def test_every_rfc_says_whether_it_is_met(self) -> None:
        """Each row of docs/rfcs.rst has its RFCs, a subject, one of three words, and what that means."""
        rows = [re.split(r"^     - ", row, flags=re.MULTILINE) for row in ROW.findall(_text("docs/rfcs.rst"))][1:]
        self.assertTrue(rows)
        numbers = []
        for cells in rows:
            rfcs, subject, state, what = (_plain(cell) for cell in cells)
            self.assertRegex(rfcs, r"^\d{3,4}(, \d{3,4})*$")
            self.assertTrue(subject and what, rfcs)
            self.assertIn(state, ("met", "partly", "not"), rfcs)
            numbers += rfcs.split(", ")
        self.assertEqual(len(set(numbers)), len(numbers))

    def test_every_extended_error_code_is_explained(self) -> None:
        """Each INFO-CODE that the resolver gives stands with its number in docs/dns.rst."""
        text = _text("docs/dns.rst")
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / "labnet/resolver").rglob("*.py")]
        given = {code for source in sources for code in re.findall(r"InfoCode\.([A-Z_]+)", source)}
        self.assertTrue(given)
        for name in given:
            self.assertIn(f"{int(InfoCode[name])} {name.replace('_', ' ')}".lower(), text.lower())


class ReleaseTests(SynchronousTestCase):
    """The change log and the unit for systemd."""

    def test_the_change_log_has_this_version(self) -> None:
        """CHANGELOG.md has what is unreleased first, and then the version that setup.cfg names."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        headings = re.findall(r"^## (\S+)", _text("CHANGELOG.md"), re.MULTILINE)
        self.assertEqual(["Unreleased", setup["metadata"]["version"]], headings[:2])

    def test_the_unit_runs_the_lab_in_the_foreground(self) -> None:
        """The unit starts ``twistd labnet`` as Type=notify wants it, with options that it takes, and no pid file."""
        unit = self._unit()
        arguments = unit["ExecStart"][0].split()
        at = arguments.index("labnet")
        self.assertEqual(["notify"], unit["Type"])
        self.assertEqual(["-n", "--pidfile="], arguments[1:at])
        self.assertEqual({"--config"}, {option for option in arguments[at:] if option.startswith("-")})
        self.assertIn("config", _options(tap.LabOptions))

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
        self.assertGreater(float(unit["TimeoutStopSec"][0]), config.LabConfig().grace + service.CLOSING)
        file = unit["ExecStart"][0].rpartition(" ")[2]
        self.assertEqual([f"/opt/labnet/bin/labnet reload --config {file}"], unit["ExecReload"])

    def test_the_socket_unit_has_the_listeners_of_the_configuration(self) -> None:
        """Each of etc/labnet.toml stands in etc/labnet.socket: for a resolver as UDP and as TCP."""
        read = tomllib.loads(_text("etc/labnet.toml"))
        wanted = {("Stream", read["command"].get("listen", "tcp:8080:interface=127.0.0.1"))}
        for resolver in read["resolver"].values():
            wanted |= {("Datagram", resolver["listen"]), ("Stream", resolver["listen"])}
        form = re.compile(r"(?:tcp|udp):(\d+)(?::interface=(.*))?")
        found = [(kind, form.fullmatch(listen)) for kind, listen in wanted]
        self.assertEqual(
            {(kind, f"{match[2] or '127.0.0.1'}:{match[1]}") for kind, match in found if match},
            set(re.findall(r"^Listen(\w+)=(.*)$", _text("etc/labnet.socket"), re.MULTILINE)),
        )

    def _unit(self) -> dict[str, list[str]]:
        settings: dict[str, list[str]] = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", _text("etc/labnet.service"), re.MULTILINE):
            settings.setdefault(key, []).append(value)
        return settings


def _named(dotted: str) -> Any:
    """What ``dotted`` names: a module's or a class's attribute."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            # With slots a default is no attribute of the class any more.
            is_slotted = dataclasses.is_dataclass(value) and isinstance(value, type)
            fields = {field.name: field.default for field in dataclasses.fields(value)} if is_slotted else {}
            value = fields[part] if part in fields else getattr(value, part)
        return value
    raise AssertionError(f"{dotted} names nothing")
