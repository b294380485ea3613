"""docs/openapi.json against the code of the API."""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.page.api import FILTERS, ROUTES, Route
from tests.pages import text_of

STREAM = ("GET", "events", (*FILTERS, "after"))


def path_of(route: Route) -> str:
    """Its path as the file has it."""
    return re.sub(r"\(\?P<id>.*?\)", "{id}", route.pattern.pattern).replace("\\", "")


class DescriptionTests(SynchronousTestCase):
    """What it says there is."""

    def setUp(self) -> None:
        self.described: dict[str, Any] = json.loads(text_of("docs/openapi.json"))

    def test_each_endpoint_is_described_with_its_parameters(self) -> None:
        """And no other is."""
        described = {
            (method.upper(), path[1:], tuple(one["name"] for one in about["parameters"] if one["in"] == "query"))
            for path, methods in self.described["paths"].items()
            for method, about in methods.items()
        }
        there = {
            (
                route.method,
                re.sub(r"\(\?P<id>.*?\)", "{id}", route.pattern.pattern).replace("\\.", "."),
                route.parameters,
            )
            for route in ROUTES
        }
        self.assertEqual(described, there | {STREAM})

    def test_whom_an_endpoint_is_for_is_said(self) -> None:
        """What a viewer may not have can be a 403."""
        for route in ROUTES:
            path = path_of(route)
            responses = self.described["paths"][f"/{path}"][route.method.lower()]["responses"]
            if not route.for_viewers:
                self.assertIn("403", responses, path)
