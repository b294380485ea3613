"""What ``make bench`` does with its figures."""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bench import harness, paths, report, run, stages, targets, tree


def _rounds(*figures: float, name: str = "cpu_us") -> list[harness.Result]:
    return [{"cpu_us": 1.0, name: figure} for figure in figures]


class ReportTests(SynchronousTestCase):
    """The tables of a result."""

    def test_a_target_is_the_ratio_of_medians_to_the_best_peer(self) -> None:
        """One wild round counts for nothing; peers that are not in the target do not either."""
        samples = {
            targets.BATCHED: {
                "labnet": _rounds(3, 90, 2),
                "nsd": _rounds(8, 7, 6),
                "knotd": _rounds(4, 4, 4),
                "named": _rounds(1, 1, 1),
            }
        }
        self.assertEqual(list(report.reached(samples)), [(targets.BATCHED, "CPU", "knotd", "≤ 0.85", "0.75")])

    def test_course_is_beside_dns(self) -> None:
        """Its target is labnet's own figure on another path, and falls away where that was not measured."""
        samples = {targets.COURSE: {"labnet": _rounds(2)}, targets.BATCHED: {"labnet": _rounds(4)}}
        self.assertIn(
            (targets.COURSE, "CPU", f"labnet, {targets.BATCHED}", "≤ 1", "0.50"),
            list(report.reached(samples)),
        )
        self.assertEqual(list(report.reached({targets.COURSE: samples[targets.COURSE]})), [])

    def test_a_million_names_have_targets_for_memory_and_start(self) -> None:
        """Beside that for the CPU, and they have a table of their own."""
        samples: report.Samples = {
            targets.UNIFORM: {
                "labnet": [{"cpu_us": 1, "pss_kib": 1024, "first_s": 3, "first_cpu_s": 2}],
                "nsd": [{"cpu_us": 2, "pss_kib": 4096, "first_s": 2, "first_cpu_s": 1}],
            }
        }
        self.assertEqual(
            [(figure, ratio) for _, figure, _, _, ratio in report.reached(samples)],
            [("CPU", "0.50"), ("memory (PSS)", "0.25"), ("time to the first answer", "1.50")],
        )
        self.assertEqual(next(iter(report.started(samples))), ("labnet", "3.00", "2.00", "1"))

    def test_a_target_may_be_for_another_setting(self) -> None:
        """Its row says which."""
        samples = {targets.LEARNED: {targets.IN_A_FILE: _rounds(6), "unbound": _rounds(4), "labnet": _rounds(2)}}
        self.assertEqual(
            list(report.reached(samples)),
            [
                (targets.LEARNED, "CPU", "unbound", "≤ 1", "0.50"),
                (f"{targets.LEARNED}: {targets.IN_A_FILE}", "CPU", "unbound", "≤ 1.2", "1.50"),
            ],
        )

    def test_a_latency_that_nobody_saw_reaches_no_target(self) -> None:
        """Where labnet answered nothing it has none, which is not a small one."""
        samples = {targets.BATCHED: {"labnet": _rounds(2), "nsd": _rounds(9, name="p50_us")}}
        self.assertIn(
            (targets.BATCHED, "p50", "nsd", "≤ 2", "not measured"),
            list(report.reached(samples)),
        )

    def test_what_is_needed_at_rest_has_limits_of_its_own(self) -> None:
        """In the units of people; a worker is the difference that one more makes."""
        rest = {"cpu_us": 500.0, "wakeups": 1.5, "first_s": 0.125, "first_cpu_s": 0.1}
        samples: report.Samples = {
            targets.AT_REST: {
                "labnet": [rest | {"pss_kib": 20 * 1024}],
                targets.TWO_WORKERS: [rest | {"pss_kib": 40 * 1024}],
                targets.THREE_WORKERS: [rest | {"pss_kib": 51.5 * 1024}],
            }
        }
        self.assertEqual(
            [row[1:] for row in report.reached(samples)],
            [
                ("memory (PSS)", "", "≤ 30 MiB", "20 MiB"),
                ("memory (PSS)", f"more than {targets.TWO_WORKERS}", "≤ 12 MiB", "11.5 MiB"),
                ("time to the first answer", "", "≤ 0.25 s", "0.125 s"),
                ("CPU", "", "≤ 0.05 s a minute", "0.03 s a minute"),
                ("wake-ups", "", "≤ 1 a second", "1.5 a second"),
            ],
        )
        self.assertEqual(next(iter(report.rested(samples))), ("labnet", "0.12", "0.10", "20", "0.030", "1.5"))
        self.assertEqual(list(report.rows(samples)), [])

    def test_questions_to_the_zones_are_told_where_they_were_counted(self) -> None:
        """Those for each question of the load."""
        samples = {
            targets.COLD: {"labnet": _rounds(3, 4, 3.5, name="asked")},
            targets.MISS: {"labnet": _rounds(2)},
        }
        self.assertEqual(list(report.asked(samples)), [(targets.COLD, "labnet", "3.50")])

    def test_latencies_stand_only_where_they_were_measured(self) -> None:
        """In milliseconds."""
        paced = {"cpu_us": 1.0, "p50_us": 40.0, "p99_us": 1250.0}
        samples = {targets.DNSPERF: {"labnet": [paced], "nsd": _rounds(2)}}
        self.assertEqual([row[4:6] for row in report.rows(samples)], [("0.040", "1.250"), ("", "")])

    def test_every_line_of_a_table_has_all_columns(self) -> None:
        """In Markdown and in reStructuredText."""
        samples = {
            targets.DNSPERF: {"labnet": _rounds(2), "nsd": _rounds(2)},
            targets.FLOOD: {"labnet": _rounds(2)},
            targets.COLD: {"labnet": _rounds(2, name="asked")},
            targets.UNIFORM: {"labnet": _rounds(2)},
            targets.AT_REST: {"labnet": _rounds(2)},
        }
        titles = (report.TARGET_HEADS, report.HEADS, report.ASKED_HEADS, report.STARTED_HEADS, report.REST_HEADS)
        heads = [len(title) for title in titles]
        tables = [part for part in report.markdown(samples, 1).split("\n\n") if part.startswith("|")]
        self.assertEqual(
            [{line.count(" | ") + 1 for line in table.splitlines()} for table in tables], [{n} for n in heads]
        )
        self.assertEqual([len(table.splitlines()) - 2 for table in tables], [6, 5, 1, 1, 1])
        cells = [
            {len(re.findall(r"^   [* ] - ", row, re.M)) for row in re.split(r"^(?=   \* )", table, flags=re.M)[1:]}
            for table in report.restructured(samples, 1).split(".. list-table::")[1:]
        ]
        self.assertEqual(cells, [{n} for n in heads])


class RunTests(SynchronousTestCase):
    """One server under the loads of its paths."""

    def setUp(self) -> None:
        self.loaded: list[tuple[str, dict[str, Any]]] = []
        self.patch(harness, "measured", lambda pid, load: load() | {"cpu_us": 5.0})
        self.patch(harness, "resident_kib", lambda pid: 7)

    def _load(self, name: str, **result: float) -> stages.Load:
        def load(port: int, **options: Any) -> harness.Result:
            self.loaded.append((name, options))
            return {"qps": 100.0, "lost": 0.0} | result

        return load

    def test_a_warm_up_comes_first_and_does_not_count(self) -> None:
        """A tenth of the load, of the same kind unless the path has another."""
        run._loaded(1, stages.Loads(self._load("full")), 53, {"lines": 5}, 3)
        lines = {"lines": 5}
        self.assertEqual([name for name, _ in self.loaded], ["full", "full"])
        self.assertAlmostEqual(self.loaded[0][1].pop("seconds"), 0.3)
        self.assertEqual([options for _, options in self.loaded], [lines, lines | {"seconds": 3}])
        self.loaded.clear()
        run._loaded(1, stages.Loads(self._load("full"), warm_up=self._load("few")), 53, {}, 3)
        self.assertEqual([name for name, _ in self.loaded], ["few", "full"])

    def test_latency_is_that_at_half_of_the_rate(self) -> None:
        """At full speed it says nothing, so that is overwritten; CPU and rate are those at full speed."""
        full = self._load("full", p50_us=900.0, p99_us=900.0)
        paced = self._load("paced", p50_us=4.0, p99_us=6.0, qps=50.0)
        result = run._loaded(1, stages.Loads(full, paced), 53, {}, 3)
        self.assertEqual([options.get("rate") for _, options in self.loaded], [None, None, 50, 50])
        self.assertEqual(
            result,
            {
                "qps": 100,
                "lost": 0,
                "cpu_us": 5,
                "pss_kib": 7,
                "p50_us": 4,
                "p99_us": 6,
                "paced_qps": 50,
                "paced_lost": 0,
                "bad": 0,
            },
        )

    def test_wrong_replies_count_at_both_speeds(self) -> None:
        """What either of them counted is not lost."""
        for full, paced in (3.0, 0.0), (0.0, 3.0), (1.0, 2.0):
            loads = stages.Loads(self._load("full", bad=full), self._load("paced", p50_us=4.0, p99_us=6.0, bad=paced))
            self.assertEqual(run._loaded(1, loads, 53, {}, 3)["bad"], 3)

    def test_wrong_replies_end_a_benchmark(self) -> None:
        """If they are labnet's; a peer's are reported."""

        def measured(server: stages.Server, *_: object) -> list[tuple[str, harness.Result]]:
            return [("path", {"cpu_us": 1.0, "bad": 2.0})]

        samples: report.Samples = {"path": {"labnet": [], "nsd": []}}
        said = io.StringIO()
        with mock.patch.object(run, "_measured", measured), contextlib.redirect_stdout(said):
            run._round(stages.Stage([stages.Server("nsd", lambda port: [])]), samples, 1)
            with self.assertRaisesRegex(SystemExit, "^labnet answered 2 questions wrong: path$"):
                run._round(stages.Stage([stages.Server("labnet", lambda port: [])]), samples, 1)
            with self.assertRaisesRegex(SystemExit, "^labnet, one process answered 2 "):
                run._round(stages.Stage([stages.Server("labnet, one process", lambda port: [])]), samples, 1)
        self.assertEqual(said.getvalue(), "nsd answered 2 questions wrong: path\n")
        self.assertEqual({name: len(results) for name, results in samples["path"].items()}, {"labnet": 0, "nsd": 1})

    def test_a_path_that_is_paced_itself_has_its_own_pace(self) -> None:
        """Half of 20,000 a second would be another path."""
        run._loaded(
            1, stages.Loads(self._load("full"), self._load("paced", p50_us=4.0, p99_us=6.0), share=1), 53, {}, 3
        )
        self.assertEqual(self.loaded[-1][1]["rate"], 100)

    def test_a_server_that_answers_nothing_has_no_latency(self) -> None:
        """There is no half of its rate."""
        result = run._loaded(1, stages.Loads(self._load("full", qps=0.0), self._load("paced")), 53, {}, 3)
        self.assertNotIn("p50_us", result)

    def test_a_peer_that_does_not_start_is_left_out(self) -> None:
        """The others are measured; labnet itself has to start."""

        def measured(server: stages.Server, *_: object) -> list[tuple[str, harness.Result]]:
            if server.name == "broken":
                raise harness.DidNotStart("no")
            return [("path", {"cpu_us": 1.0})]

        labnet, broken, nsd = (stages.Server(name, lambda port: []) for name in ("labnet", "broken", "nsd"))
        stage = stages.Stage([labnet, broken, nsd])
        samples: report.Samples = {"path": {"labnet": [], "nsd": []}}
        with mock.patch.object(run, "_measured", measured):
            run._round(stage, samples, 1)
        self.assertEqual([len(results) for results in samples["path"].values()], [1, 1])
        self.assertEqual(stage.servers, [labnet, nsd])
        labnet.name, broken.name = "other", "labnet"
        broken_alone = stages.Stage([broken])
        with mock.patch.object(run, "_measured", mock.Mock(side_effect=harness.DidNotStart)):
            self.assertRaises(harness.DidNotStart, run._round, broken_alone, samples, 1)

    def test_a_server_that_ends_at_once_did_not_start(self) -> None:
        """It is distinguished from one that starts."""
        with self.assertRaises(harness.DidNotStart), harness.running(["false"], lambda: False):
            pass


class MeasuredTests(SynchronousTestCase):
    """What an operation cost a process."""

    def test_cpu_and_wakeups_are_those_of_an_operation(self) -> None:
        """However many there were; without one, it is what all cost."""
        for answered, each in (4.0, 0.25), (0.0, 1.0):
            spent, woken = iter((1.0, 3.0)), iter((10, 18))
            self.patch(harness, "cpu_seconds", lambda pid, spent=spent: next(spent))
            self.patch(harness, "_wakeups", lambda pid, woken=woken: next(woken))
            result = harness.measured(1, lambda answered=answered: {"answered": answered})
            self.assertEqual((result["cpu_us"], result["wakeups"]), (2e6 * each, 8 * each))

    def test_a_process_that_waits_was_woken(self) -> None:
        """This one, by its own timer."""
        before = harness._wakeups(os.getpid())
        select.select((), (), (), 0.001)
        self.assertGreater(harness._wakeups(os.getpid()), before)


class DnsperfTests(SynchronousTestCase):
    """What is read from dnsperf's output."""

    def test_what_is_lost_counts_as_a_second(self) -> None:
        """Beside the latencies that are printed of the others."""
        printed = "".join(f"> NOERROR host{number}.lab.test A 0.000{number}0\n" for number in range(10, 20))
        totals = "  Queries completed:    10 (83.33%)\n  Queries lost:         2\n  Queries per second:   3.5\n"
        self.patch(harness.subprocess, "run", lambda *_, **__: mock.Mock(stdout=f"{printed}> T A A\n{totals}"))
        result = harness.dnsperf(53, Path("questions"), 1, verbose=True)
        self.assertAlmostEqual(result["p50_us"], 150)
        self.assertEqual(result["p99_us"], harness.LOST)
        self.assertNotIn("p50_us", harness.dnsperf(53, Path("questions"), 1))

    def test_a_percentile_is_one_of_the_figures(self) -> None:
        """The least that the part of them does not exceed."""
        figures = [float(figure) for figure in range(200, 0, -1)]
        self.assertEqual([harness.percentile(figures, part) for part in (0.0, 0.5, 0.99, 1.0)], [1, 100, 198, 200])
        self.assertEqual(harness.percentile([], 0.5), 0)


class StageTests(SynchronousTestCase):
    """What ``--only`` leaves."""

    def test_only_paths_with_the_text_stay(self) -> None:
        """A path that one server has for itself leaves the others nothing to do."""

        def stage() -> stages.Stage:
            loads = stages.Loads(mock.Mock())
            labnet = stages.Server("labnet", lambda port: [], alone={targets.COURSE: loads})
            return stages.Stage([labnet, stages.Server("nsd", lambda port: [])], {targets.BATCHED: loads})

        chosen = stage()
        self.assertTrue(chosen.choose("batch"))
        self.assertEqual([server.name for server in chosen.servers], ["labnet", "nsd"])
        self.assertEqual((list(chosen.paths), chosen.servers[0].alone), ([targets.BATCHED], {}))
        chosen = stage()
        self.assertTrue(chosen.choose("course"))
        self.assertEqual(([server.name for server in chosen.servers], chosen.paths), (["labnet"], {}))
        self.assertFalse(stage().choose("TIME"))

    def test_whoever_a_target_names_takes_part_in_its_path(self) -> None:
        """Labnet in the setting that counts and each peer, where all are installed; every limit is measured too."""
        self.patch(paths, "_compiled", lambda folder, name: folder / name)
        self.patch(paths, "MILLION", 2)
        self.patch(shutil, "which", lambda name, path=None: f"/usr/sbin/{name}")
        self.patch(tree, "_is_free", lambda port: True)
        with tempfile.TemporaryDirectory() as folder:
            measured = [
                (path, server.name)
                for stage in paths.stages(Path(folder))
                for server in stage.servers
                for path in stage.paths | server.alone
            ]
        wanted = [(path, own) for path, *_, own in targets.TARGETS]
        wanted += [(other or path, peer) for path, _, peers, _, other, _ in targets.TARGETS for peer in peers]
        wanted += [(limit.path, server) for limit in targets.LIMITS for server in (limit.own, limit.besides) if server]
        self.assertEqual(set(wanted) - set(measured), set())
