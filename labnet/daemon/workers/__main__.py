"""``python -m labnet.daemon.workers NUMBER``: keeps so many workers; only their supervisor starts it."""

import sys

from labnet.daemon.workers.nursery import main

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
