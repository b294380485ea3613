"""Which servers in a capture speak the course protocol, which nothing in a question says.

The transcript's ports are known. Of any other server a reply says it, which comes after the question; so the first time
it matters, the whole capture is looked through for such replies.
"""

from __future__ import annotations

from labnet.capture.files.formats import open_capture
from labnet.capture.model import CaptureError, Dissected
from labnet.capture.packet.applications import is_course_port, is_course_reply
from labnet.capture.packet.dissect import dissect


class CourseServers:
    """The servers of the course protocol in the capture at ``path``; None looks at ports alone."""

    def __init__(self, path: str | None = None) -> None:
        self._path = None if path == "-" else path
        self._found: set[tuple[str, int]] = set()

    def speaks(self, frame: Dissected) -> bool:
        """Whether the server that ``frame`` goes to speaks the course protocol."""
        if is_course_port(frame):
            return True
        if self._path is not None:
            path, self._path = self._path, None
            self._look_through(path)
        ports = frame.ports
        return ports is not None and (frame.destination, ports[1]) in self._found

    def _look_through(self, path: str) -> None:
        try:
            with open_capture(path) as capture:
                for packet in capture:
                    if b"," in packet.data or b"[]" in packet.data:
                        self._look_at(dissect(packet))
        except CaptureError:
            return  # who reads the capture itself says so

    def _look_at(self, frame: Dissected) -> None:
        ports, transport = frame.ports, frame.transport
        if ports is not None and transport is not None and transport.name == "udp" and is_course_reply(frame.data):
            self._found.add((frame.source, ports[0]))
