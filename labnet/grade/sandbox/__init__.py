"""Where a student's program runs: a world of its own, whose sockets are the judge's."""
