"""``python -m labnet.daemon.workers``: one worker, which only its supervisor starts."""

import sys

from labnet.daemon.workers.child import main

if __name__ == "__main__":
    sys.exit(main())
