"""The JSON schema of a table of the configuration, by which editors complete a file."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from labnet.values.model import Model, Setting, Written

KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(model: type[Model]) -> dict[str, Any]:
    """The schema of ``model``, with that of each table in it below ``$defs``."""
    tables: dict[str, Any] = {}
    whole = _table(model, tables)
    return {"$defs": dict(sorted(tables.items())), **whole}


def _table(model: type[Model], tables: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _property(name, field, tables) for name, field in model.model_fields.items()}
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    schema = {"additionalProperties": False, "description": model.__doc__, "properties": properties}
    return schema | ({"required": needed} if needed else {}) | {"title": model.__name__, "type": "object"}


def _property(name: str, field: Setting, tables: dict[str, Any]) -> dict[str, Any]:
    schema = _marked(_of(field.annotation, tables), field)
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if len(kinds) > 1 or "$ref" not in kinds[0]:
        schema["title"] = name.replace("_", " ").title()
    if field.description:
        schema["description"] = field.description
    if not field.is_required() and field.default_factory is None:
        default = field.default
        schema["default"] = list(map(str, default)) if isinstance(default, tuple) else default
    return dict(sorted(schema.items()))


def _of(annotation: Any, tables: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for mark in arguments[1:]:
            if isinstance(mark, Written):
                return {"format": mark.kind, "type": "string"}
        schema = _of(arguments[0], tables)
        for mark in arguments[1:]:
            schema = _marked(schema, mark) if isinstance(mark, Setting) else schema
        return schema
    if origin in (Union, UnionType):
        kinds = [_of(one, tables) for one in arguments if one is not NoneType]
        flat = [each for one in kinds for each in one.get("anyOf", [one])]
        return {"anyOf": [*flat, {"type": "null"}]}
    if origin is tuple:
        item = _of(arguments[0], tables)
        return {"anyOf": [item, {"items": item, "type": "array"}]}
    if origin is Literal:
        return {"enum": list(arguments), "type": "string"}
    if origin is Mapping:
        names = _of(arguments[0], tables)
        del names["type"]
        return {"additionalProperties": _of(arguments[1], tables), "type": "object"} | (
            {"propertyNames": names} if names else {}
        )
    if annotation in KINDS:
        return {"type": KINDS[annotation]}
    tables[annotation.__name__] = _table(annotation, tables)
    return {"$ref": f"#/$defs/{annotation.__name__}"}


def _marked(schema: dict[str, Any], field: Setting) -> dict[str, Any]:
    """``schema`` with the bounds of ``field``."""
    bounds = {
        "minimum": field.ge,
        "exclusiveMinimum": field.gt,
        "maximum": field.le,
        "minLength": field.min_length,
        "maxLength": field.max_length,
    }
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if "anyOf" not in schema:
        return schema | given
    if "minLength" in given:
        given = {"minItems": given["minLength"]}
    marked = [one | (given if _takes(one, given) else {}) for one in schema["anyOf"]]
    return schema | {"anyOf": [dict(sorted(one.items())) for one in marked]}


def _takes(schema: dict[str, Any], given: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" if "minItems" in given else schema.get("type") != "null"
