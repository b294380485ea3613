"""The documentation is held to the code: tables, options, limits, examples and file names."""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from docs import generate
from labnet import cli, config
from labnet.daemon import service, tap
from labnet.metrics import FAMILIES
from labnet.wire.types import InfoCode

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY"))]
PAGES += sorted((ROOT / "docs").glob("*.rst"))
ROW = re.compile(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", re.DOTALL | re.MULTILINE)

Table = dict[str, list[str]]


def _text(page: str | Path) -> str:
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


def _options(plugin: type[usage.Options]) -> dict[str, str | None]:
    """The long options of a plugin with their defaults; a flag has None."""
    flags = {flag[0]: None for flag in getattr(plugin, "optFlags", ())}
    return {parameter[0]: parameter[2] for parameter in plugin.optParameters} | flags


def _labnet_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments and options of every command of ``labnet``, ``--help`` left out."""
    found: list[argparse.Action] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return [option for inner in action.choices.values() for option in _labnet_options(inner)]
        found += [] if "--help" in action.option_strings else [action]
    return found


def _commands() -> Iterator[list[str]]:
    """The ``labnet`` command lines in the pages, as their arguments."""
    for page in PAGES:
        for line in re.findall(r"^ *[$#] (?:\S*/)?labnet (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield re.split(r" [|>;] ", line)[0].split()


class GeneratedTests(SynchronousTestCase):
    """What docs/generate.py writes of the code."""

    def test_the_generated_files_are_those_of_the_code(self) -> None:
        """Each is what the code says now, and there is no other: ``make docs`` writes them anew."""
        for path, text in generate.generated().items():
            self.assertEqual(path.read_text(encoding="utf-8"), text, f"{path.name} is out of date: make docs")
        listed = {path for path in generate.generated() if path.suffix == ".inc"}
        self.assertEqual(set((ROOT / "docs/generated").glob("*.inc")) - {ROOT / "docs/generated/modules.inc"}, listed)

    def test_each_generated_file_is_on_one_page(self) -> None:
        """That of the modules too, which is made when the pages are built."""
        pages = "".join(_text(page) for page in PAGES)
        included = re.findall(r"^\.\. include:: (generated/\S+)$", pages, re.MULTILINE)
        names = {path.name for path in generate.generated() if path.suffix == ".inc"} | {"modules.inc"}
        self.assertEqual(sorted(included), sorted(f"generated/{name}" for name in names))

    def test_every_key_option_and_metric_says_what_it_is_for(self) -> None:
        """Each stands once, with words below it."""
        models = [model for table in config.Config.model_fields.values() for model in generate.models(table.annotation)]
        wanted = len(FAMILIES) + sum(len(model.model_fields) for model in models)
        wanted += sum(len(_options(plugin)) for plugin in generate.PLUGINS.values()) + len(
            _labnet_options(cli._parser())
        )
        text = "\n".join(text for path, text in generate.generated().items() if path.suffix == ".inc")
        entries = re.findall(r"^\.\. (?:confval|option|metric):: .+\n(?:   :.*\n)*\n   \w", text, re.MULTILINE)
        self.assertEqual(len(entries), wanted)

    def test_a_key_says_what_it_takes(self) -> None:
        """In words that come from the model: kinds, bounds, choices, lists."""
        text = "".join(text for text in generate.generated().values())
        for key, taken in {
            "lab.workers": "whole number, 1 to 64",
            "lab.watch": "true or false",
            "lab.grace": "number, above 0 to 86400",
            "command.replies": '``"handout"`` or ``"transcript"``',
            "command.allow": "network or list",
            "command.clients": "whole number, 0 or more",
            "resolver.NAME.listen": "listener or list",
            "resolver.NAME.recursion": "network or list",
            "resolver.NAME.learned": "path",
            "resolver.NAME.forward": "table",
            "resolver.NAME.rate_limit": "number, 0 or more",
            "resolver.NAME.unknown": "text, 255 characters at most",
            "resolver.NAME.ttl_max": "whole number, 0 to 2147483647",
        }.items():
            self.assertIn(f".. confval:: {key}\n   :type: {taken}\n", text)


class SchemaTests(SynchronousTestCase):
    """etc/labnet.schema.json, by which editors complete a configuration."""

    def setUp(self) -> None:
        schema = json.loads(_text("etc/labnet.schema.json"))
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)

    def test_the_configurations_that_come_with_labnet_are_valid(self) -> None:
        """Those of etc/, and the built-in one."""
        files = [*(ROOT / "etc").rglob("*.toml"), ROOT / "labnet/builtin/labnet.toml"]
        self.assertGreater(len(files), 2)
        for file in files:
            self.validator.validate(tomllib.loads(file.read_text(encoding="utf-8")))

    def test_what_the_model_refuses_is_invalid(self) -> None:
        """Keys that are none, values of another kind, out of bounds, or none of the choices; a list that is empty."""
        for text in (
            "[lab]\nworker = 2",
            "[lab]\nworkers = 65",
            '[lab]\nwatch = "yes"',
            "[lab]\ngrace = 0",
            "[command]\nlisten = []",
            "[command]\nlisten = 8080",
            '[command]\nreplies = "short"',
            "[resolver.main]\nrecords = 'ips.txt'",
            "[shared]\nprefix = 'x'",
        ):
            table = {"command": {}} | tomllib.loads(text)
            self.assertRaises(config.ConfigError, config.build, table, ".", ".")
            self.assertFalse(self.validator.is_valid(table), text)


class ConfigurationTests(SynchronousTestCase):
    """README.md against :mod:`labnet.config`."""

    def test_readme_has_the_ten_keys_that_matter_as_the_code_has_them(self) -> None:
        """Each with the default and the meaning of the model."""
        rows = _markdown_table(_sections("README.md", r"^## (.*)$")["Configuration"])
        self.assertEqual(len(rows), 10)
        for key, (default, meaning) in rows.items():
            table, _, name = key.replace(".NAME", "").partition(".")
            (model,) = generate.models(config.Config.model_fields[table].annotation)
            field = model.model_fields[name]
            self.assertEqual((generate.default_of(field), _plain(field.description)), (default, meaning), key)


class CommandLineTests(SynchronousTestCase):
    """The command lines of the pages against :mod:`labnet.daemon.tap` and :mod:`labnet.cli`."""

    def test_readme_and_the_page_have_each_plugin(self) -> None:
        """The three, by the command that runs each."""
        names = set(re.findall(r"^\| `twistd -n (\S+?)[ `]", _text("README.md"), re.MULTILINE))
        self.assertEqual(names, set(generate.PLUGINS))
        self.assertEqual(set(re.findall(r"^twistd (labnet\S*)(?: .*)?\n---", _text("docs/commands.rst"), re.M)), names)

    def test_every_labnet_command_can_be_typed(self) -> None:
        """Each ``labnet`` command line in the pages is one that the command takes."""
        commands = list(_commands())
        self.assertTrue(commands)
        for arguments in commands:
            cli._parser().parse_args(arguments)

    def test_every_make_target_is_explained(self) -> None:
        """README.md has the targets of the Makefile, all of them and no others; the other pages name none besides."""
        inner = {"interop-tests", "unit-tests", "test-oldest-twisted"}
        targets = set(re.findall(r"^([a-z][a-z-]*):", _text("Makefile"), re.MULTILINE)) - inner
        phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", _text("Makefile"), re.MULTILINE)).split())
        self.assertEqual(targets, phony - inner)
        self.assertEqual(targets, set(re.findall(r"`make ([\w-]+)`", _text("README.md"))))
        for page in PAGES:
            self.assertLessEqual(set(re.findall(r"`make ([a-z-]+)", _text(page))), targets, page.name)


class ExampleTests(SynchronousTestCase):
    """What the pages quote from the code and the files."""

    def test_every_toml_example_is_a_configuration(self) -> None:
        """Each TOML block in the pages is a configuration without an error, or one but for its servers."""
        blocks = [
            re.sub(r"^   ", "", block, flags=re.MULTILINE)
            for page in PAGES
            for block in re.findall(
                r"^\.\. code-block:: toml\n(?:   :.*\n)*\n((?:   .*\n|\n)+)",
                page.read_text(encoding="utf-8"),
                re.MULTILINE,
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
        """Each source file and link that a page names is there; README.md and docs/architecture.rst name many."""
        named = {page.name: self._named_in(page) for page in PAGES}
        self.assertGreater(min(len(named["README.md"]), len(named["architecture.rst"])), 10)
        for page, paths in named.items():
            for path in paths:
                self.assertTrue((ROOT / path).exists(), f"{page} names {path}, which is not there")

    def _named_in(self, page: Path) -> set[str]:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"`((?:labnet|docs|etc|tests|twisted|bench)/[\w./-]+)`", text)) - {"docs/_build"}
        named = {path for path in named if not re.search(r"/[A-Z]+\.|/_build/", path)}  # NAME stands for any
        return named | {link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link}

    def test_each_step_of_a_walk_is_done_where_it_says(self) -> None:
        """``file.py``: ``Name`` in docs/architecture.rst is a class, function or method of that file."""
        steps = re.findall(r"``(labnet/[\w/]+)\.py``:\s+``([\w.]+)``", _text("docs/architecture.rst"))
        self.assertGreater(len(steps), 40)
        for path, name in steps:
            _named(f"{path.replace('/', '.')}.{name}")
        files = {path.name for path in (ROOT / "labnet").rglob("*.py")}
        self.assertEqual(set(re.findall(r"``(\w+\.py)``", _text("docs/architecture.rst"))) - files, set())

    def test_the_picture_has_every_folder_and_every_file_at_the_top(self) -> None:
        """In docs/architecture.rst each stands where it is in the tree, and no other does."""
        picture = _text("docs/architecture.rst").partition("   labnet/\n")[2].partition("\n\n")[0]
        found, folders = set(), [ROOT / "labnet"]
        for indent, name in re.findall(r"^   ( +)(\S+) ", picture, re.MULTILINE):
            folders[len(indent) // 2 :] = [folders[len(indent) // 2 - 1] / name]
            found.add(folders[-1])
        packages = {path.parent for path in (ROOT / "labnet").rglob("__init__.py")} - {ROOT / "labnet"}
        self.assertEqual(found, packages | set((ROOT / "labnet").glob("[a-z]*.py")))

    def test_the_list_of_modules_has_each_with_a_sentence(self) -> None:
        """At the end of docs/architecture.rst, made when the pages are built: each module under its package."""
        text = generate.modules()
        for path in (ROOT / "labnet").rglob("*.py"):
            package = re.escape(".".join(path.relative_to(ROOT).parent.parts))
            entry = r"\w" if path.name == "__init__.py" else rf"(?:(?!^~).*\n)*``{re.escape(path.name)}``\n   .*\w"
            self.assertRegex(text, re.compile(rf"^{package}\n~+\n\n{entry}", re.MULTILINE), str(path))

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

    def test_the_newest_version_of_the_change_log_is_this_one(self) -> None:
        """CHANGELOG.md begins with the version that setup.cfg names; behind it are the older ones."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        headings = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", _text("CHANGELOG.md"), re.MULTILINE)
        self.assertEqual(headings[0], setup["metadata"]["version"])
        self.assertEqual(
            headings, sorted(headings, key=lambda one: [int(part) for part in one.split(".")], reverse=True)
        )
        self.assertEqual(len(headings), len(re.findall(r"^## ", _text("CHANGELOG.md"), re.MULTILINE)))

    def test_each_change_since_is_a_fragment_of_a_known_kind(self) -> None:
        """docs/changes/SLUG.TYPE.md with something in it."""
        kinds = {kind["directory"] for kind in tomllib.loads(_text("pyproject.toml"))["tool"]["towncrier"]["type"]}
        for path in (ROOT / "docs/changes").iterdir():
            if path.name != "template.jinja":
                self.assertRegex(path.name, rf"^[a-z0-9-]+\.({'|'.join(kinds)})\.md$")
                self.assertTrue(_text(path).strip(), path.name)

    def test_each_supported_python_is_named_everywhere(self) -> None:
        """By a classifier and in ``make test-all``; the oldest is what setup.cfg requires."""
        versions = re.findall(r"^ +Programming Language :: Python :: (3\.\d+)$", _text("setup.cfg"), re.MULTILINE)
        made = re.findall(r"^PYTHONS := (.*)$", _text("Makefile"), re.MULTILINE)
        self.assertEqual(made, [" ".join(f"python{version}" for version in versions)])
        self.assertIn(f"python_requires = >={versions[0]}\n", _text("setup.cfg"))

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
