"""What is counted, by the names that the metrics have: services count in integers, the console publishes when asked.

A family is declared here once, with what it means; :func:`merged` adds up what several processes counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

BOUNDS: Final = (0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histograms' buckets, in seconds."""


class Family(NamedTuple):
    """One metric: ``labels`` name what its samples differ by, ``merge`` says how those of several processes add up."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    merge: Literal["sum", "max"] = "sum"


class Sample(NamedTuple):
    """A value of the family ``name``: a number, or for a histogram its counts by bucket with the sum behind them."""

    name: str
    labels: tuple[str, ...]
    value: Any


class Histogram:
    """Counts seconds by bucket; the last bucket is for those above every bound."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """``seconds`` were measured, ``times`` times."""
        self.counts[bisect_left(BOUNDS, seconds)] += times
        self.sum += seconds * times

    def sample(self, name: str, *labels: str) -> Sample:
        """What was counted so far."""
        return Sample(name, labels, [*self.counts, self.sum])


FAMILIES: Final[dict[str, Family]] = {
    "labnet_queries_total": Family(
        "counter",
        "Questions answered; protocol is dns or the dialect, source is where the answer came from.",
        ("resolver", "transport", "protocol", "result", "source"),
    ),
    "labnet_query_seconds": Family(
        "histogram", "Seconds from a question to its answer, by where the answer came from.", ("resolver", "source")
    ),
    "labnet_queries_dropped_total": Family(
        "counter", "Questions without an answer of their own, and why.", ("resolver", "reason")
    ),
    "labnet_blocked_total": Family("counter", "Questions answered, or dropped, by a list.", ("resolver", "list")),
    "labnet_block_list_names": Family("gauge", "Names on a list.", ("resolver", "list"), "max"),
    "labnet_cache_entries": Family("gauge", "Answers that are cached.", ("resolver",), "max"),
    "labnet_cache_bytes": Family("gauge", "Bytes of memory that cached answers take.", ("resolver",), "max"),
    "labnet_cache_hits_total": Family("counter", "Questions that the cache had a valid answer for.", ("resolver",)),
    "labnet_cache_misses_total": Family("counter", "Questions that it had none for.", ("resolver",)),
    "labnet_cache_evictions_total": Family("counter", "Answers forgotten to make room.", ("resolver",)),
    "labnet_packet_cache_bytes": Family("gauge", "Bytes of ready answers.", ("resolver", "protocol")),
    "labnet_in_flight": Family("gauge", "Questions that parents are being asked.", ("resolver",)),
    "labnet_parent_questions_total": Family("counter", "Questions asked of a parent.", ("resolver", "parent")),
    "labnet_parent_failures_total": Family("counter", "Those that failed.", ("resolver", "parent")),
    "labnet_parent_forged_total": Family(
        "counter",
        "Datagrams from its address that were no reply: of a text: parent, and on the fast path.",
        ("resolver", "parent"),
    ),
    "labnet_parent_round_trip_seconds": Family(
        "gauge", "A parent's smoothed round-trip time.", ("resolver", "parent"), "max"
    ),
    "labnet_parent_up": Family("gauge", "1 while a parent counts as working, else 0.", ("resolver", "parent"), "max"),
    "labnet_transfers_total": Family(
        "counter",
        "Zones that were given to other servers (out) or had from them (in), by axfr, ixfr or notify, and what came of "
        "it: done, current (there is no newer one), refused or failed.",
        ("resolver", "direction", "kind", "result"),
    ),
    "labnet_secondary_expires_seconds": Family(
        "gauge",
        "Seconds until a zone that is had from other servers expires; 0 where it has, or never came.",
        ("resolver", "zone"),
        "max",
    ),
    "labnet_validations_total": Family(
        "counter", "Replies that were validated: secure, insecure, indeterminate or bogus.", ("resolver", "result")
    ),
    "labnet_records": Family("gauge", "Names in the records.", ("resolver",), "max"),
    "labnet_sessions": Family("gauge", "Connections to the command server: served or waiting.", ("state",)),
    "labnet_sessions_ended_total": Family("counter", "Connections that ended, and why.", ("end",)),
    "labnet_commands_total": Family("counter", "Commands answered: TIME, EXIT or invalid.", ("command",)),
    "labnet_reactor_lag_seconds": Family(
        "gauge", "By how much the last timer came late: what a client waits for the event loop.", (), "max"
    ),
    "labnet_reactor_lag_max_seconds": Family("gauge", "The largest of the last minute's.", (), "max"),
    "labnet_reactor_late_seconds": Family("histogram", "By how much the timers of every second came late."),
    "labnet_worker_up": Family("gauge", "1 while a worker serves, else 0.", ("worker",)),
    "labnet_worker_restarts_total": Family("counter", "Times that a worker had to be started again.", ("worker",)),
    "labnet_worker_queries_total": Family("counter", "Questions that a worker answered.", ("worker",)),
    "labnet_reloads_total": Family(
        "counter", "Reloads: done, or failed with the old state unchanged.", ("result",), "max"
    ),
    "labnet_shared_up": Family("gauge", "1 while the server of the shared cache is there, else 0.", (), "max"),
    "labnet_shared_requests_total": Family(
        "counter",
        "Questions that went by the shared cache: hit, waited (another lab asked), asked (for all labs), alone.",
        ("result",),
    ),
    "labnet_shared_ignored_total": Family("counter", "What was found there and is no answer, or flushed since."),
    "labnet_shared_waiting": Family("gauge", "Questions that wait for another lab."),
    "labnet_shared_seconds": Family("histogram", "Seconds that the server of the shared cache took for a look."),
    "labnet_start_time_seconds": Family("gauge", "When the process started, in epoch seconds.", (), "max"),
    "labnet_faults_active": Family("gauge", "Faults that are ordered now.", (), "max"),
    "labnet_faults_done_total": Family("counter", "What was done on order, by the kind of fault.", ("kind",)),
    "labnet_build_info": Family("gauge", "1; the labels say which program this is.", ("version", "python"), "max"),
    "process_cpu_seconds_total": Family("counter", "Seconds of processor time used."),
    "process_resident_memory_bytes": Family("gauge", "Bytes of memory in use."),
    "process_open_fds": Family("gauge", "Files and sockets that are open.", (), "max"),
    "process_max_fds": Family("gauge", "Files and sockets that may be open.", (), "max"),
}


def merged(processes: Iterable[Iterable[Sample]]) -> list[Sample]:
    """The samples of several processes as those of one."""
    found: dict[tuple[str, tuple[str, ...]], Any] = {}
    for samples in processes:
        for name, labels, value in samples:
            key = (name, tuple(labels))
            if key not in found:
                found[key] = value
            elif FAMILIES[name].kind == "histogram":
                found[key] = [a + b for a, b in zip(found[key], value, strict=True)]
            elif FAMILIES[name].merge == "max":
                found[key] = max(found[key], value)
            else:
                found[key] += value
    return [Sample(name, labels, value) for (name, labels), value in found.items()]


def version() -> str:
    """The version of labnet that is installed, ``unknown`` where it was not installed but copied."""
    from importlib import metadata  # takes longer than all else that the clients import first

    try:
        return metadata.version("txlabnet")
    except metadata.PackageNotFoundError:
        return "unknown"
