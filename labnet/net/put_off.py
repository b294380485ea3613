"""What Twisted and others import for features that a lab seldom has: put off until something of it is used.

The reactor loads OpenSSL so that a connection can become an encrypted one half-way (STARTTLS): a sixth of a small lab's
memory, and as much of its start. Nothing in a lab does that: what is encrypted here is so from the start.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Final

LATER: Final = (
    "asyncio.sslproto",
    "calendar",
    "decimal",
    "difflib",
    "http.cookiejar",
    "locale",
    "shutil",
    "ssl",
    "tempfile",
    "twisted.internet.ssl",
    "twisted.protocols.tls",
    "twisted.web.util",
)
"""What others name at their import, and look into only when they are told to; it is part of Python or of Twisted."""

NEVER: Final = ("twisted.internet._newtls", "twisted.web._http2")
"""Modules that Twisted does without where they are not there: STARTTLS, and HTTP/2 beside the live page's HTTP/1.1.

Their names are Twisted's own; :mod:`labnet.net.twisted_private` has all other such, but it loads what is put off here.
"""


class _Later(ModuleType):
    """In the place of a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # whoever looks through all modules has no need of this one
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def put_off() -> None:
    """Have the modules of :data:`LATER` loaded when they are used; what is loaded by now stays.

    To be called before anything imports a reactor.
    """
    modules: dict[str, Any] = sys.modules
    for name in NEVER:
        modules.setdefault(name, None)
    for name in LATER:
        modules.setdefault(name, _Later(name))
