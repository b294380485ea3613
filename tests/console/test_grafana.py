"""The dashboard in etc/ against what is counted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.metrics import FAMILIES

DASHBOARD = Path(__file__).resolve().parents[2] / "etc/grafana.json"

KNOWN_UNITS = {"reqps", "ops", "s", "bytes", "percentunit", "none", "dateTimeFromNow"}
"""Those of Grafana that the dashboard takes."""

OUTER_LABELS = {"job", "instance", "le"}
"""What Prometheus adds itself."""


class DashboardTests(SynchronousTestCase):
    """etc/grafana.json."""

    def setUp(self) -> None:
        self.dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
        self.panels = [panel for panel in self.dashboard["panels"] if panel["type"] != "row"]

    def expressions(self) -> Iterator[str]:
        for panel in self.panels:
            for target in panel["targets"]:
                yield target["expr"]
        for annotation in self.dashboard["annotations"]["list"]:
            yield annotation["expr"]

    def test_every_panel_says_what_it_shows(self) -> None:
        """It has a title, a description, a unit and an expression; no id and no title of a row is there twice."""
        self.assertTrue(self.panels)
        for panel in self.panels:
            self.assertTrue(panel["title"] and panel["description"] and panel["targets"], panel["id"])
            self.assertIn(panel["fieldConfig"]["defaults"]["unit"], KNOWN_UNITS, panel["title"])
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))

    def test_no_panel_covers_another(self) -> None:
        """Each cell of the 24 columns belongs to one."""
        cells: set[tuple[int, int]] = set()
        for panel in self.dashboard["panels"]:
            at = panel["gridPos"]
            own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & own, panel["title"])
            self.assertTrue(all(x < 24 for x, _ in own))
            cells |= own

    def test_every_metric_is_one_that_is_counted(self) -> None:
        """With labels that it has; a histogram by its buckets."""
        for expression in self.expressions():
            names = re.findall(r"\b(?:labnet|process)_\w+", expression)
            self.assertTrue(names, expression)
            labels = set(OUTER_LABELS)
            for name in names:
                family = FAMILIES.get(name)
                if family is None or family.kind == "histogram":
                    base, _, part = name.rpartition("_")
                    self.assertEqual((FAMILIES[base].kind, part), ("histogram", "bucket"), name)
                    family = FAMILIES[base]
                labels |= set(family.labels)
            used = set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"", expression))
            used |= {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
            self.assertEqual(used - labels, set(), expression)

    def test_every_legend_names_labels_that_are_left(self) -> None:
        """A legend shows nothing that the expression has summed away."""
        for panel in self.panels:
            for target in panel["targets"]:
                shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                left = {each.strip() for by in re.findall(r"by \(([^)]*)\)", target["expr"]) for each in by.split(",")}
                self.assertEqual(shown - left, set(), target)

    def test_everything_that_is_counted_is_shown(self) -> None:
        """No family is missing on the dashboard."""
        text = " ".join(self.expressions())
        missing = [name for name in FAMILIES if not re.search(rf"\b{name}(?:_bucket)?\b", text)]
        self.assertEqual(missing, [])

    def test_variables_are_asked_of_metrics_that_are_there(self) -> None:
        """Each variable that an expression uses is one of the dashboard's."""
        variables = {variable["name"]: variable for variable in self.dashboard["templating"]["list"]}
        used = set(re.findall(r"\$(\w+)", " ".join(self.expressions()))) - {"__rate_interval"}
        self.assertEqual(used - set(variables), set())
        for variable in variables.values():
            if variable["type"] == "query":
                name, label = re.findall(r"label_values\((\w+).*, (\w+)\)", variable["definition"])[0]
                self.assertIn(label, {*FAMILIES[name].labels, *OUTER_LABELS})

    def test_promtool_reads_every_expression(self) -> None:
        """As rules of Prometheus, which has them the same."""
        promtool = shutil.which("promtool")
        assert promtool is not None, "promtool is not there: apt-get install prometheus"
        rules = [
            {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
            for number, expression in enumerate(self.expressions())
        ]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
            file.flush()
            checked = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, timeout=60)
        self.assertEqual(checked.returncode, 0, checked.stderr.decode())
