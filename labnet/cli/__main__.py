"""``python -m labnet.cli``."""

from __future__ import annotations

import sys

from labnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
