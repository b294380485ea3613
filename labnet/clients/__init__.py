"""The command-line clients: no part of a daemon, and nothing of a daemon imports them.

``command`` speaks to a command server, ``course`` and ``dns`` to a resolver by either protocol over the sockets of
``server``, ``trace`` walks down from a root and prints each step; ``verbose`` shows what passes. ``lines`` chooses who
reads what is typed: ``prompting`` and ``live``, with prompt_toolkit, where a person does. ``cli`` reads their options.
"""
