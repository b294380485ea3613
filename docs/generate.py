"""Writes what the pages include of the code: the keys, the options of the plugins, the metrics, the JSON schema.

``make docs`` runs it first, ``python docs/generate.py`` runs it alone; a test holds that the files are up to date. The
list of modules is made at each build of the pages and is no part of the repository.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
from twisted.python import usage

from docs.schema import schema_of
from labnet.cli.program import labnet
from labnet.config.filters import BlockTable
from labnet.config.reading import Config
from labnet.daemon import tap
from labnet.metrics import FAMILIES
from labnet.values.model import Setting

DOCS = Path(__file__).resolve().parent

PLUGINS: dict[str, type[usage.Options]] = {
    "labnet": tap.LabOptions,
    "labnet-command": tap.CommandOptions,
    "labnet-resolver": tap.ResolverOptions,
}

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "labnet.toml"}
SCHEMA["description"] = "The configuration of labnet."

NESTED: dict[str, Any] = {"block": BlockTable}
"""Tables inside of those of the configuration that have a page of keys of their own."""

PLACES = {"resolver": "resolver.NAME", "block": "resolver.NAME.block.LIST"}

MERGED = {"sum": "", "max": "; of several workers, the largest"}


def generated() -> dict[Path, str]:
    """The text of each generated file, by its path."""
    schema = schema_of(Config)
    files = {DOCS / f"generated/keys-{name}.inc": keys(name, schema) for name in [*Config.model_fields, *NESTED]}
    files |= {DOCS / f"generated/options-{name}.inc": _page(options(name)) for name in PLUGINS}
    files[DOCS / "generated/commands.inc"] = _page(commands("labnet", labnet))
    files[DOCS / "generated/metrics.inc"] = _page(metrics())
    files[DOCS.parent / "etc/labnet.schema.json"] = json.dumps({**schema, **SCHEMA}, indent=1) + "\n"
    return files


def keys(table: str, schema: dict[str, Any]) -> str:
    """The keys of one ``table`` of the configuration: type, default and meaning of each."""
    model = NESTED[table] if table in NESTED else next(iter(models(Config.model_fields[table].annotation)))
    place = PLACES.get(table, table)
    properties = schema["$defs"][model.__name__]["properties"]
    return _page(
        line
        for key, field in model.model_fields.items()
        for line in (
            f".. confval:: {place}.{key}",
            f"   :type: {type_of(properties[key])}",
            f"   :default: {_code(default_of(field))}",
            "",
            f"   {_escaped(field.description or '')}",
            "",
        )
    )


def options(plugin: str) -> Iterator[str]:
    """The options of one of the twistd plugins."""
    taken = PLUGINS[plugin]
    flags = [(name, None, None, text) for name, _, text in getattr(taken, "optFlags", ())]
    yield f".. program:: twistd {plugin}"
    yield ""
    for name, _, default, text in [*taken.optParameters, *flags]:
        yield f".. option:: --{name}" + ("" if (name, None, None, text) in flags else f" {name.upper()}")
        yield ""
        yield f"   {_escaped(text)}" + (f" Default: ``{default}``." if default else "")
        yield ""


def commands(name: str, command: click.Command) -> Iterator[str]:
    """Every command below ``name`` with its arguments, options and examples."""
    ctx = click.Context(command, info_name=name)
    if isinstance(command, click.Group):
        for word in command.list_commands(ctx):
            below = command.get_command(ctx, word)
            if below is not None and not below.hidden:
                yield from commands(f"{name} {word}", below)
        return
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    options = [param for param in command.params if isinstance(param, click.Option)]
    synopsis = " ".join([name, *(argument.make_metavar(ctx) for argument in arguments)])
    yield from (name, "~" * len(name), "", f"``{synopsis}``", "")
    yield from (_escaped(inspect.cleandoc(command.help or "")), "", f".. program:: {name}", "")
    for argument in arguments:
        yield from _described(argument.make_metavar(ctx), argument.help)
    for option in options:
        yield from _described(_written(option, ctx), f"{option.help}{_default(option)}")
    for line, does in getattr(command, "examples", ()):
        yield from (f"``{line}``", f"   {_escaped(_sentence(does))}", "")


def _written(option: click.Option, ctx: click.Context) -> str:
    """How an option is written, with its value."""
    value = "" if option.is_flag else f" {option.make_metavar(ctx)}"
    return ", ".join(f"{name}{value}" for name in option.opts)


def _default(option: click.Option) -> str:
    return f" Default: `{option.default}`." if option.show_default else ""


def _described(written: str, says: str | None) -> tuple[str, ...]:
    return (f".. option:: {written}", "", f"   {_escaped(_sentence(says or ''))}", "")


def _sentence(says: str) -> str:
    return says[:1].upper() + says[1:] + ("" if says.endswith(("…", ".")) else ".")


def metrics() -> Iterator[str]:
    """Every metric with its kind, labels and meaning."""
    for name, family in FAMILIES.items():
        labels = ", ".join(f"``{label}``" for label in family.labels) or "none"
        kind = f"{family.kind}; labels: {labels}{MERGED[family.merge]}"
        yield from (f".. metric:: {name}", "", f"   {family.help}", "", f"   {kind}", "")


def modules() -> str:
    """Every package with what its docstring begins with, and each of its modules with its first sentence."""
    return _page(_modules(DOCS.parent / "labnet"))


def _modules(package: Path) -> Iterator[str]:
    name = ".".join(package.relative_to(DOCS.parent).parts)
    yield from (name, "~" * len(name), "", first_paragraph(package / "__init__.py"), "")
    for path in sorted(package.glob("*.py")):
        if path.name != "__init__.py":
            yield from (f"``{path.name}``", f"   {first_paragraph(path)}")
    yield ""
    for inner in sorted(path.parent for path in package.glob("*/__init__.py")):
        yield from _modules(inner)


def first_paragraph(path: Path) -> str:
    """What the docstring of the module at ``path`` begins with, in one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.sub(r":\w+:`~?([^`]+)`", r"``\1``", paragraph)


def default_of(field: Setting) -> str:
    """The default of a key as TOML writes it, a list of one as its only item; ``needed`` where there is none."""
    if field.is_required():
        return "needed"
    with mock.patch.dict(os.environ):
        os.environ.pop("STATE_DIRECTORY", None)
        value: Any = field.get_default()
    if value is None:
        return "none"
    if isinstance(value, tuple):
        value = [str(item) for item in value]
        value = value[0] if len(value) == 1 else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def type_of(schema: dict[str, Any]) -> str:
    """What a key takes, in words."""
    if "anyOf" in schema:
        taken = [one for one in schema["anyOf"] if one.get("type") != "null"]
        is_many = taken[-1].get("type") == "array" and len(taken) > 1
        return type_of(taken[0]) + (" or list" if is_many else "")
    if "enum" in schema:
        return " or ".join(f'``"{word}"``' for word in schema["enum"])
    kinds = {"boolean": "true or false", "integer": "whole number", "number": "number", "object": "table"}
    kind = schema.get("format", kinds.get(schema["type"], "text")).replace("-", " ")
    return kind + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    if "maxLength" in schema:
        return f", {schema['maxLength']} characters at most"
    least, most = schema.get("minimum"), schema.get("maximum")
    lower = f"{least:g}" if least is not None else f"above {schema.get('exclusiveMinimum', 0):g}"
    if schema["type"] not in ("integer", "number") or (least is None and "exclusiveMinimum" not in schema):
        return ""
    # The bound of a billion keeps infinity out; it is none that anybody meets.
    return f", {lower} or more" if most in (None, 1e9) else f", {lower} to {most:.10g}"


def models(annotation: Any) -> Iterator[Any]:
    """The models that an annotation speaks of."""
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from models(inner)


def _code(text: str) -> str:
    return text if text in ("needed", "none") else f"``{text}``"


def _escaped(text: str) -> str:
    """``text`` in reStructuredText: a backquoted word as code, nothing else as mark-up."""
    return text.replace("\\", r"\\").replace("*", r"\*").replace("`", "``")


def _page(lines: Any) -> str:
    return "\n".join(["..", "   Written by docs/generate.py; do not edit.", "", *lines]).rstrip() + "\n"


def main() -> None:
    for path, text in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
