"""By which encryption a server is asked, in one word, and where it listens then."""

from __future__ import annotations

from typing import Final, Literal

Scheme = Literal["", "tls", "https"]
"""How a server is asked; empty: not encrypted."""

PORTS: Final[dict[Scheme, int]] = {"": 53, "tls": 853, "https": 443}
"""The ports that servers have where nobody names another."""
