"""Tables and values that are read, checked and frozen."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Annotated, Literal

from twisted.trial.unittest import SynchronousTestCase

from labnet.values.model import Checks, Model, ModelError, Reads, field


def _shorter(value: str) -> str:
    if len(value) > 3:
        raise ValueError(f"{value!r} is long")
    return value.upper()


class Inner(Model):
    """A table in a table."""

    name: Annotated[str, Checks(_shorter)]
    share: float = field(0.5, gt=0, le=1)
    secret: str = field("", repr=False)


class Outer(Model):
    """A table."""

    number: int = field(1, ge=1, le=9)
    kind: Literal["a", "b", "c"] = "a"
    inner: Inner | None = None
    several: Mapping[str, Inner] = field(default_factory=dict)
    texts: Annotated[tuple[str, ...], Reads(lambda given: given if isinstance(given, list) else [given])] = field(
        (), min_length=1
    )

    def model_check(self) -> None:
        if self.number == 7:
            raise ValueError("seven is no number")


class ModelTests(SynchronousTestCase):
    def problems(self, **given: object) -> list[tuple[str, str]]:
        with self.assertRaises(ModelError) as raised:
            Outer.model_validate(given)
        return raised.exception.problems

    def test_what_is_right_is_taken(self) -> None:
        """A reader's value, a check's, a whole number for a float, defaults; and what was given is known."""
        made = Outer.model_validate({"inner": {"name": "ab", "share": 1}, "texts": "x"})
        self.assertEqual((made.inner, made.texts, made.number), (Inner(name="AB", share=1.0), ("x",), 1))
        self.assertIs(type(made.inner and made.inner.share), float)
        self.assertEqual(made.model_fields_set, {"inner", "texts"})

    def test_everything_wrong_is_told_at_its_place(self) -> None:
        """Tables in tables too, in the order of the fields; then what is no key."""
        wrong = self.problems(
            number="1", kind="d", inner=5, several={"x": {"share": 0.0}, "y": {"name": "abcd"}}, texts=[1], nunber=1
        )
        self.assertEqual(
            wrong,
            [
                ("number", "must be an integer, not '1'"),
                ("kind", "must be 'a', 'b' or 'c', not 'd'"),
                ("inner", "must be a table, not 5"),
                ("several.x.name", "this key is needed"),
                ("several.x.share", "must be greater than 0, not 0.0"),
                ("several.y.name", "'abcd' is long"),
                ("texts.0", "must be a string, not 1"),
                ("nunber", "there is no such key; did you mean number?"),
            ],
        )

    def test_a_truth_value_is_no_number(self) -> None:
        """Nor is a number one."""
        self.assertEqual(self.problems(number=True), [("number", "must be an integer, not True")])

    def test_bounds(self) -> None:
        """Of numbers and of lists."""
        self.assertEqual(self.problems(number=0), [("number", "must be greater than or equal to 1, not 0")])
        self.assertEqual(self.problems(number=10), [("number", "must be less than or equal to 9, not 10")])
        self.assertEqual(self.problems(texts=[]), [("texts", "must name at least one")])

    def test_fields_that_do_not_go_together(self) -> None:
        """It is told of the table."""
        self.assertEqual(self.problems(number=7), [("", "seven is no number")])

    def test_a_copy_has_other_values(self) -> None:
        """The original stays, and neither can be set."""
        made = Outer(number=2)
        copied = made.model_copy(update={"number": 3})
        self.assertEqual((made.number, copied.number, copied.model_fields_set), (2, 3, {"number"}))
        self.assertNotEqual(made, copied)
        self.assertRaises(AttributeError, setattr, copied, "number", 4)
        self.assertEqual(pickle.loads(pickle.dumps(copied)), copied)
        self.assertEqual(hash(Inner(name="a")), hash(Inner(name="a")))

    def test_a_secret_is_not_shown(self) -> None:
        """Wherever a table is printed."""
        self.assertEqual(repr(Inner(name="a", secret="x")), "Inner(name='A', share=0.5)")
