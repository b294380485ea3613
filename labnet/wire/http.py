"""HTTP, as far as a server of something else has to know it: by its first line, to refuse it.

A web page can have a browser send any bytes to any port of the machine it runs on, but only behind the head of an HTTP
request (a form, ``fetch``). A server that stops at that head takes nothing a page has written.
"""

from __future__ import annotations

import re
from typing import Final

_REQUEST: Final = re.compile(
    rb"[ \t]*(?:[A-Z]+ [^ ]+ HTTP/[0-9]|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [/h]|host:)", re.IGNORECASE
)


def is_request(line: bytes) -> bool:
    """Whether ``line``, or the beginning of one, is a request line of HTTP/1 (RFC 9112, section 3) or a Host field."""
    return _REQUEST.match(line) is not None
