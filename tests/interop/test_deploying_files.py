"""What etc/ has for who deploys labnet: alert rules, the container, the services beside it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import click
import pytest

from labnet.cli.program import labnet
from labnet.config import reading
from labnet.metrics import FAMILIES
from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool

ETC = Path(__file__).resolve().parents[2] / "etc"
CONTAINER = ETC / "container"

SERIES = """\
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
{series}
    alert_rule_test:
      - eval_time: 15m
        alertname: {alert}
        exp_alerts: []
"""

FIRING = {
    "LabnetDown": [('up{job="labnet"}', "0x15", "1x15")],
    "LabnetParentDown": [('labnet_parent_up{parent="p", resolver="main"}', "0x15", "1x15")],
    "LabnetReloadFailed": [('labnet_reloads_total{result="failed"}', "0x10 1x5", "0x15")],
    "LabnetSlow": [("labnet_reactor_lag_max_seconds", "0.3x15", "0.01x15")],
    "LabnetDescriptors": [
        ('process_open_fds{job="labnet"}', "900x15", "90x15"),
        ('process_max_fds{job="labnet"}', "1024x15", "1024x15"),
    ],
    "LabnetFailures": [
        ('labnet_queries_total{result="SERVFAIL", resolver="main"}', "0+10x15", "0+1x15"),
        ('labnet_queries_total{result="NOERROR", resolver="main"}', "0+90x15", "0+90x15"),
    ],
    "LabnetWorkerDown": [('labnet_worker_up{worker="1"}', "0x15", "1x15")],
    "LabnetSharedCacheGone": [("labnet_shared_up", "0x15", "1x15")],
    "LabnetZoneGone": [('labnet_secondary_expires_seconds{resolver="main", zone="lab.test"}', "0x15", "900-60x15")],
}
"""For each alert the series that it goes by, with their values when it fires and when nothing is wrong."""


def promtool(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("promtool", "prometheus"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=DEADLINE)


def test_every_alert_is_tried_and_goes_by_what_is_counted() -> None:
    """No metric in a rule is one that labnet does not have."""
    rules = (ETC / "alerts.yml").read_text()
    assert re.findall(r"alert: (\w+)", rules) == list(FIRING)
    expressions = " ".join(re.findall(r"expr: (?:>-\n)?((?:.+\n)+?)(?= +(?:for|labels):)", rules))
    named = set(re.findall(r"\b(?:labnet|process)_\w+", expressions))
    assert len(named) > 5
    assert named <= FAMILIES.keys()


@pytest.mark.parametrize("alert", FIRING)
def test_an_alert_fires_where_something_is_wrong_and_else_not(alert: str, tmp_path: Path) -> None:
    """Prometheus's own tool evaluates the rules on series of both kinds."""
    checked = promtool("check", "rules", ETC / "alerts.yml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for is_wrong in True, False:
        lines = [
            f"      - series: '{series}'\n        values: '{wrong if is_wrong else right}'"
            for series, wrong, right in FIRING[alert]
        ]
        text = SERIES.format(rules=ETC / "alerts.yml", series="\n".join(lines), alert=alert)
        (tmp_path / "test.yml").write_text(text)
        tried = promtool("test", "rules", "test.yml", cwd=tmp_path)
        fired = f'alertname="{alert}"' in tried.stdout + tried.stderr
        assert (fired, tried.returncode != 0) == (is_wrong, is_wrong), tried.stdout + tried.stderr


@pytest.mark.parametrize("name", ["labnet.toml", "fleet.toml"])
def test_the_lab_of_the_container_serves_private_networks_alone(name: str, tmp_path: Path) -> None:
    """It listens on every address, since the engine publishes; no EXIT of a client closes it."""
    for file in (CONTAINER / name, ETC / "ips.txt", ETC / "parent.txt"):
        shutil.copy(file, tmp_path)
    read = reading.load(str(tmp_path / name), str(tmp_path))
    assert read.command is not None
    assert read.command.exit_from == ()
    services = [read.command, *read.resolver.values()]
    assert all(network.is_private for service in services for network in service.allow)
    listens = [str(listen) for service in (*services, read.console) for listen in service.listen]
    assert len(listens) == 4
    assert all("interface=0.0.0.0" in listen for listen in listens)
    assert (read.shared is not None) == (name == "fleet.toml")


def test_the_container_file_has_what_it_copies_and_runs_without_rights() -> None:
    """Its user is not root; the health check and the entry point are command lines that exist."""
    text = (CONTAINER / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for path in line.split():
            assert (ETC.parent / path).exists(), path
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["labnet"]
    assert text.index("\nUSER ") < text.index("\nENTRYPOINT ")
    health = json.loads(re.findall(r"^HEALTHCHECK .* CMD (.*)$", text, re.MULTILINE)[0])
    assert health[0] == "labnet"
    with mock.patch.object(click.Command, "invoke"):
        labnet.invoke(labnet.make_context("labnet", health[1:]))
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[0]) == [
        "twistd",
        "-n",
        "--pidfile=",
        "labnet",
    ]
    ports = {f"{port}/{kind}" for port, kind in re.findall(r"\b(\d+)/(tcp|udp)", text.partition("EXPOSE")[2])}
    listens = re.findall(r'listen = "(\w+):(\d+):', (CONTAINER / "labnet.toml").read_text())
    wanted = {f"{port}/{kind}" for kind, port in listens} | {f"{port}/tcp" for _, port in listens}
    assert ports == wanted


def test_compose_mounts_files_that_exist_and_publishes_on_this_machine_alone(tmp_path: Path) -> None:
    """It publishes what the container exposes; docker-compose and Prometheus take their configurations."""
    text = (CONTAINER / "compose.yaml").read_text()
    mounts = re.findall(r"^ +- (\.\.?/[^:]+):", text, re.MULTILINE)
    assert len(mounts) == 5
    for path in mounts:
        assert (CONTAINER / path).is_file(), path
    published = re.findall(r'^ +- "([\d.]+):(\d+):(\d+)(?:/(\w+))?"$', text, re.MULTILINE)
    assert {address for address, *_ in published} == {"127.0.0.1"}
    exposed = (CONTAINER / "Containerfile").read_text().partition("EXPOSE")[2]
    assert all(f"{inner}/{kind}" in exposed for _, _, inner, kind in published if kind)
    shutil.copy(CONTAINER / "prometheus.yml", tmp_path)
    shutil.copy(ETC / "alerts.yml", tmp_path)
    checked = promtool("check", "config", "prometheus.yml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    compose = [tool("docker-compose", "docker-compose"), "-f", CONTAINER / "compose.yaml", "config", "-q"]
    valid = subprocess.run(compose, capture_output=True, text=True, timeout=DEADLINE)
    assert valid.returncode == 0, valid.stderr
    target = re.findall(r'targets: \["(\w+):(\d+)"\]', (CONTAINER / "prometheus.yml").read_text())
    assert target == [("labnet", "9153")]
