"""How a command-line client fails."""


class NoAnswer(Exception):
    """The server cannot be reached, does not answer or refuses to; the text says which server and how."""


class NotFound(Exception):
    """The server answered, and gives nothing for the name; the text says how it said so, "" where that is plain."""
