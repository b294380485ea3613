"""``labnet capture``: from the packet socket into a file, with a count per protocol meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from labnet.capture.files.writing import PcapngWriter
from labnet.capture.model import COOKED_V2, ETHERNET, CaptureError
from labnet.capture.names import ETHERTYPES, IP_PROTOCOLS
from labnet.capture.record.live import SNAP_LENGTH, Live, PacketSource

TICK: Final = 0.25
"""Seconds after which what was captured is on disk and the counts are shown."""


def protocol_of(link_type: int, data: bytes) -> str:
    """A word for the count, from the few bytes that tell it; dissecting is not for while packets come in."""
    at, ethertype = 0, 0
    if link_type == ETHERNET:
        at, ethertype = 14, int.from_bytes(data[12:14], "big")
        if ethertype == 0x8100:
            at, ethertype = 18, int.from_bytes(data[16:18], "big")
    elif link_type == COOKED_V2:
        at, ethertype = 20, int.from_bytes(data[:2], "big")
    elif data:
        ethertype = {4: 0x0800, 6: 0x86DD}.get(data[0] >> 4, 0)
    if ethertype == 0x0800 and len(data) > at + 9:
        return IP_PROTOCOLS.get(data[at + 9], "other IP")
    if ethertype == 0x86DD and len(data) > at + 6:
        return IP_PROTOCOLS.get(data[at + 6], "other IPv6")
    return ETHERTYPES.get(ethertype, "other")


@dataclass
class Recording:
    """What is captured into ``writer``, counted per protocol; ``most`` packets and ``seconds`` end it, if given."""

    writer: PcapngWriter
    link_type: int
    most: int | None = None
    seconds: float | None = None
    show: Callable[[str], None] = lambda line: None
    clock: Callable[[], float] = time.monotonic
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, packets: Iterable[tuple[int, bytes, int] | None]) -> None:
        """Write ``packets``, of which None stands for a moment without one."""
        now = self.clock()
        until = None if self.seconds is None else now + self.seconds
        next_show = now
        try:
            for packet in packets:
                if packet is not None:
                    stamp, data, length = packet
                    self.writer.write(stamp, data, length)
                    self.counts[protocol_of(self.link_type, data)] += 1
                now = self.clock()
                if packet is None or now >= next_show:
                    self.writer.flush()
                    self.show(self.line())
                    next_show = now + TICK
                if self._is_enough() or (until is not None and now >= until):
                    break
        finally:
            self.writer.flush()

    def _is_enough(self) -> bool:
        return self.most is not None and self.counts.total() >= self.most

    def line(self) -> str:
        """The counts, most frequent first."""
        parts = ", ".join(f"{name} {count}" for name, count in self.counts.most_common())
        return f"{self.counts.total()} packets{f': {parts}' if parts else ''}"


def capture(name: str, path: str, filter: str | None, most: int | None, seconds: float | None) -> None:
    """Capture on interface ``name`` into ``path`` until a signal says to stop. Raises :class:`CaptureError`."""
    source = PacketSource.find(name)
    live = Live(source, filter)
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
            writer = PcapngWriter(file, source.link_type, name, SNAP_LENGTH)
            recording = Recording(writer, source.link_type, most, seconds)
            if sys.stderr.isatty():
                recording.show = lambda line: print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            print(f"capturing on {name} into {path}; Ctrl-C ends it", file=sys.stderr, flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                recording.run(live)
    except OSError as error:
        raise CaptureError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        dropped = live.dropped()
        live.close()
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{recording.line()}; {dropped} lost in the kernel", file=sys.stderr)
