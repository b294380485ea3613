"""Tables and values of the configuration: what TOML gave is read, checked and frozen; everything wrong is told at once.

The annotation of a field says how it is read: ``int``, ``float``, ``bool``, ``str``, a ``Literal``, a :class:`Model`, a
tuple or a mapping of such, ``| None``. ``Annotated`` adds to one of these what reads it (:class:`Reads`), what checks
it (:class:`Checks`) and its bounds (:func:`field`). A general library for this is a fifth of a small lab's memory, and
as much of its start.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

Place = tuple[str | int, ...]
"""Where a value is: the keys and the numbers in lists that lead to it."""

Wrong = tuple[Place, str]
"""Where something is wrong, and what."""

_NEEDED: Final = object()
_PLAIN: Final[dict[Any, str]] = {int: "an integer", float: "a number", bool: "a boolean", str: "a string"}


class ModelError(ValueError):
    """What was given is no such table; ``problems`` has a dotted key and what is wrong with it, for each problem."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        self.problems = [(".".join(map(str, place)), says) for place, says in wrong]
        super().__init__("; ".join(f"{key}: {says}" for key, says in self.problems))


class Reads(NamedTuple):
    """``read`` makes the value of what was given. It raises ValueError with a sentence."""

    read: Callable[[Any], Any]


class Checks(NamedTuple):
    """``check`` takes the value and gives it, or another one. It raises ValueError with a sentence."""

    check: Callable[[Any], Any]


class Written(NamedTuple):
    """The word for what a text stands for, in the JSON schema and on the page of the keys."""

    kind: str


class Setting(NamedTuple):
    """A field: its default, its bounds, what it is for; ``annotation`` is its type."""

    default: Any = _NEEDED
    default_factory: Callable[[], Any] | None = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    finite: bool = False
    repr: bool = True
    description: str = ""
    annotation: Any = None

    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is _NEEDED and self.default_factory is None

    def get_default(self) -> Any:
        """The value where none is given."""
        return self.default if self.default_factory is None else self.default_factory()

    def problem_of(self, value: Any, given: Any) -> str | None:
        """What of its bounds ``value`` does not keep, which was ``given``."""
        if isinstance(value, tuple):
            return "must name at least one" if len(value) < (self.min_length or 0) else None
        if self.min_length is not None and len(value) < self.min_length:
            return f"String should have at least {_counted(self.min_length)}, not {given!r}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"String should have at most {_counted(self.max_length)}, not {given!r}"
        if self.finite and not math.isfinite(value):
            return f"must be a finite number, not {given!r}"
        if self.le is not None and not value <= self.le:
            return f"must be less than or equal to {_number(self.le)}, not {given!r}"
        if self.ge is not None and not value >= self.ge:
            return f"must be greater than or equal to {_number(self.ge)}, not {given!r}"
        if self.gt is not None and not value > self.gt:
            return f"must be greater than {_number(self.gt)}, not {given!r}"
        return None


def field(default: Any = _NEEDED, **given: Any) -> Any:
    """A field of a :class:`Model` with what a :class:`Setting` has, and bounds in ``Annotated``."""
    return Setting(default, **given)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Model:
    """A table or a value with fields, which cannot be set. The constructor raises :class:`ModelError`."""

    model_fields: ClassVar[Mapping[str, Setting]] = {}

    def __init_subclass__(cls) -> None:
        fields = dict(cls.model_fields)
        for name, annotation in get_type_hints(cls, include_extras=True).items():
            if name in vars(cls).get("__annotations__", {}) and get_origin(annotation) is not ClassVar:
                given = vars(cls).get(name, _NEEDED)
                written = given if isinstance(given, Setting) else Setting(given)
                fields[name] = written._replace(annotation=annotation)
                if given is not _NEEDED:
                    delattr(cls, name)
        cls.model_fields = MappingProxyType(fields)

    def __init__(self, **given: Any) -> None:
        wrong: list[Wrong] = []
        self.model_fill(given, (), wrong)
        if wrong:
            raise ModelError(wrong)

    model_fields_set: ClassVar[frozenset[str]]
    """The fields that were given."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values() if isinstance(other, Model) else False

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.model_fields))

    def __repr__(self) -> str:
        shown = (name for name, one in self.model_fields.items() if one.repr)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def _values(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "model_fields_set"}

    def model_check(self) -> None:
        """Raise ValueError with a sentence where fields do not go together."""

    def model_copy(self, update: Mapping[str, Any] = MappingProxyType({})) -> Self:
        """A copy with some fields changed."""
        copied = object.__new__(type(self))
        given = self.model_fields_set | update.keys()
        vars(copied).update(vars(self) | dict(update), model_fields_set=given)
        return copied

    @classmethod
    def model_validate(cls, table: Mapping[str, Any]) -> Self:
        """One of what TOML gave. Raises :class:`ModelError`."""
        wrong: list[Wrong] = []
        made: Self = _read(cls, table, (), wrong)
        if wrong:
            raise ModelError(wrong)
        return made

    def model_fill(self, table: Mapping[str, Any], place: Place, wrong: list[Wrong]) -> None:
        """Be what ``table`` at ``place`` says; what is wrong there goes into ``wrong``, and this is of no use then."""
        before = len(wrong)
        values: dict[str, Any] = {}
        for name, one in self.model_fields.items():
            if name in table:
                values[name] = _read_marked(one.annotation, [one], table[name], (*place, name), wrong)
            elif one.is_required():
                wrong.append(((*place, name), "this key is needed"))
            else:
                values[name] = one.get_default()
        for name in table:
            if name not in self.model_fields:
                near = difflib.get_close_matches(str(name), self.model_fields, 1)
                meant = f"; did you mean {near[0]}?" if near else ""
                wrong.append(((*place, name), f"there is no such key{meant}"))
        vars(self).update(values, model_fields_set=frozenset(table))
        if len(wrong) == before:
            try:
                self.model_check()
            except ValueError as error:
                wrong.append((place, str(error)))


def _read(kind: Any, value: Any, place: Place, wrong: list[Wrong]) -> Any:
    """What ``value`` at ``place`` is as a ``kind``; where it is none, that goes into ``wrong``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _read_marked(arguments[0], arguments[1:], value, place, wrong)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        several = [one for one in arguments if one is not NoneType]
        return _read(several[0], value, place, wrong) if len(several) == 1 else value
    if origin is Literal:
        if value in arguments:
            return value
        *first, last = map(repr, arguments)
        wrong.append((place, f"must be {', '.join(first)} or {last}, not {value!r}"))
    elif origin is tuple and isinstance(value, list | tuple):
        return tuple(_read(arguments[0], item, (*place, number), wrong) for number, item in enumerate(value))
    elif origin is Mapping or (isinstance(kind, type) and issubclass(kind, Model)):
        if isinstance(value, kind if origin is None else ()):
            return value
        if not isinstance(value, Mapping):
            wrong.append((place, f"must be a table, not {value!r}"))
        elif origin is None:
            made = object.__new__(kind)
            made.model_fill(value, place, wrong)
            return made
        else:
            return _read_mapping(arguments, value, place, wrong)
    elif origin is tuple:
        wrong.append((place, f"must be a list, not {value!r}"))
    elif kind not in _PLAIN or type(value) is kind:
        return value
    elif kind is float and type(value) is int:
        return float(value)
    else:
        wrong.append((place, f"must be {_PLAIN[kind]}, not {value!r}"))
    return None


def _read_mapping(kinds: Sequence[Any], table: Mapping[Any, Any], place: Place, wrong: list[Wrong]) -> dict[Any, Any]:
    return {
        _read(kinds[0], key, (*place, key, "[key]"), wrong): _read(kinds[1], value, (*place, key), wrong)
        for key, value in table.items()
    }


def _read_marked(kind: Any, marks: Sequence[Any], value: Any, place: Place, wrong: list[Wrong]) -> Any:
    """What ``value`` is as a ``kind`` that ``marks`` say more of."""
    given, before = value, len(wrong)
    try:
        for mark in reversed(marks):
            if isinstance(mark, Reads):
                value = mark.read(value)
        value = _read(kind, value, place, wrong)
        for mark in marks:
            if len(wrong) > before or value is None:
                break
            if isinstance(mark, Checks):
                value = mark.check(value)
            elif isinstance(mark, Setting) and (problem := mark.problem_of(value, given)) is not None:
                wrong.append((place, problem))
    except ValueError as error:
        wrong.append((place, str(error)))
    return value


def _counted(number: int) -> str:
    return f"{number} character{'s' * (number != 1)}"


def _number(bound: float) -> float:
    return int(bound) if bound == int(bound) else bound
