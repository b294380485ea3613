"""``python -m labnet.workers``: one worker, which only its supervisor starts."""

import sys

from labnet.workers.child import main

if __name__ == "__main__":
    sys.exit(main())
