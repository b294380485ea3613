"""How a command-line client fails."""


class NoAnswer(Exception):
    """The server cannot be reached or does not answer; the text says which server and how."""
