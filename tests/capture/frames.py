"""Packets of :mod:`tests.capture.samples` as captures see them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from labnet.capture.model import ETHERNET, Dissected, Packet
from labnet.capture.narrative.explain import Understanding, explain, story
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.traffic.checks import notes


def packets(timed: Iterable[tuple[float, bytes]], link_type: int = ETHERNET) -> list[Packet]:
    """Numbered from 1."""
    return [
        Packet(number, round(when * 1_000_000_000), len(data), data, link_type)
        for number, (when, data) in enumerate(timed, 1)
    ]


def understood(
    timed: Iterable[tuple[float, bytes]],
) -> tuple[list[tuple[Dissected, ApplicationData | None]], list[str]]:
    """Every frame with its message, and the lines of all stories."""
    understanding, frames, stories = Understanding(), [], []
    for packet in packets(timed):
        frame, message, over = understanding.take(packet)
        frame.notes = notes(frame)
        frames.append((frame, message))
        stories.extend(story(over))
    return frames, [*stories, *story(understanding.rest())]


def one(
    data: bytes, link_type: int = ETHERNET, wire_length: int | None = None, comment: str | None = None
) -> Dissected:
    """A single frame, with its notes."""
    packet = Packet(1, 0, wire_length or len(data), data, link_type, comment=comment)
    frame = Understanding().take(packet)[0]
    frame.notes = notes(frame)
    return frame


@contextmanager
def file(content: bytes) -> Iterator[str]:
    """The path of a file with ``content``, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sample.pcap")
        with open(path, "wb") as made:
            made.write(content)
        yield path


def explained(content: bytes, most: int = 200) -> list[str]:
    """What ``labnet explain`` prints for a capture of that content."""
    with file(content) as path:
        return list(explain(path, most, False, lambda done: None))
