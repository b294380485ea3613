"""What docs/generate.py writes of the code, and what README.md repeats of it."""

from __future__ import annotations

import json
import re
import tomllib

import click
import jsonschema
from twisted.trial.unittest import SynchronousTestCase

from docs import generate
from labnet.cli.program import labnet
from labnet.config import reading
from labnet.metrics import FAMILIES
from tests.pages import PAGES, ROOT, markdown_table, options, plain, sections, text_of


def labnet_options(command: click.Command) -> list[click.Parameter]:
    """The arguments and options of every command of ``labnet``, ``--help`` left out."""
    if not isinstance(command, click.Group):
        return command.params
    ctx = click.Context(command)
    below = [command.get_command(ctx, word) for word in command.list_commands(ctx)]
    return [option for inner in below for option in labnet_options(inner)]


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
        pages = "".join(text_of(page) for page in PAGES)
        included = re.findall(r"^\.\. include:: (generated/\S+)$", pages, re.MULTILINE)
        names = {path.name for path in generate.generated() if path.suffix == ".inc"} | {"modules.inc"}
        self.assertEqual(sorted(included), sorted(f"generated/{name}" for name in names))

    def test_every_key_option_and_metric_says_what_it_is_for(self) -> None:
        """Each stands once, with words below it."""
        models = [
            model for table in reading.Config.model_fields.values() for model in generate.models(table.annotation)
        ]
        models += generate.NESTED.values()
        wanted = len(FAMILIES) + sum(len(model.model_fields) for model in models)
        wanted += sum(len(options(plugin)) for plugin in generate.PLUGINS.values()) + len(labnet_options(labnet))
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
        schema = json.loads(text_of("etc/labnet.schema.json"))
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)

    def test_the_configurations_that_come_with_labnet_are_valid(self) -> None:
        """Those of etc/, and the built-in one."""
        etc = [path for path in (ROOT / "etc").rglob("*.toml") if path.parent.name not in ("grading", "dialects")]
        files = [*etc, ROOT / "labnet/builtin/labnet.toml"]
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
            self.assertRaises(reading.ConfigError, reading.build, table, ".", ".")
            self.assertFalse(self.validator.is_valid(table), text)


class ConfigurationTests(SynchronousTestCase):
    """README.md against :mod:`labnet.config`."""

    def test_readme_has_the_ten_keys_that_matter_as_the_code_has_them(self) -> None:
        """Each with the default and the meaning of the model."""
        rows = markdown_table(sections("README.md", r"^## (.*)$")["Configuration"])
        self.assertEqual(len(rows), 10)
        for key, (default, meaning) in rows.items():
            table, _, name = key.replace(".NAME", "").partition(".")
            (model,) = generate.models(reading.Config.model_fields[table].annotation)
            field = model.model_fields[name]
            self.assertEqual((generate.default_of(field), plain(field.description)), (default, meaning), key)
