"""The command-line clients: no part of a daemon, and nothing of a daemon imports them.

``command`` speaks to a command server, ``course`` and ``dns`` to a resolver by either protocol, ``trace`` walks down
from a root and prints each step. ``cli`` reads their options.
"""
