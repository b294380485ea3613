"""The words of ``labnet resolve`` and ``labnet command``: server, port, names and types, in our order or in dig's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from labnet.cli.readers import read_port, read_seconds, read_tries
from labnet.clients.schemes import Scheme


@dataclass(frozen=True)
class Words:
    """What the words of one command line say; None is what they do not."""

    server: str | None = None
    port: int | None = None
    rest: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    dns: bool = False
    tcp: bool = False
    scheme: Scheme = ""
    tls_name: str | None = None
    ca: str | None = None
    trace: bool = False
    timeout: float | None = None
    tries: int | None = None


def read_command(words: Sequence[str], port: int | None = None) -> Words:
    """The server and the commands in ``words``; ``port`` is that of an option. Raises ValueError in a sentence."""
    if words and words[0].startswith("@") and len(words[0]) > 1:
        return Words(words[0][1:], port, tuple(words[1:]))
    return _server_first(list(words), port)


def read_question(words: Sequence[str], port: int | None = None, is_named: bool = False) -> Words:
    """The server, names, types and dig's ``+`` options in ``words``; ``port`` is that of an option.

    A word that is a type's name is one where another word, or ``is_named``, is a name. Raises ValueError in a sentence.
    """
    servers = [word[1:] for word in words if word.startswith("@") and len(word) > 1]
    plain = [word for word in words if not word.startswith(("@", "+")) or len(word) == 1]
    if len(servers) > 1:
        raise ValueError(f"@{servers[0]} and @{servers[1]} exclude each other: one server is asked")
    said = Words(servers[0], port, tuple(plain)) if servers else _server_first(plain, port)
    for word in words:
        if word.startswith("+") and len(word) > 1:
            said = _with_option(said, word)
    types = [word for word in said.rest if is_type(word)]
    if types and not is_named and len(types) == len(said.rest):
        types = list(said.rest[1:])
        names = said.rest[:1]
    else:
        names = tuple(word for word in said.rest if not is_type(word))
    return replace(
        said, rest=names, types=tuple(rrtype_of(word) or word for word in types), dns=said.dns or bool(types)
    )


def is_type(word: str) -> bool:
    """Whether ``word`` is the name of a type of records, in any case."""
    if "." in word or not word.isascii():
        return False
    return rrtype_of(word) is not None


def rrtype_of(text: str) -> str | None:
    """The name of a type of records as it is usually written (``MX``, ``TYPE4711``); None where there is none."""
    import dns.exception
    import dns.rdatatype

    try:
        return dns.rdatatype.to_text(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        return None


def _server_first(words: list[str], port: int | None) -> Words:
    """``SERVER PORT REST``, where that is how ``words`` begin: with an address, or with any word and a number."""
    is_address = bool(words) and _is_address(words[0])
    has_number = len(words) > 1 and words[1].isascii() and words[1].isdigit()
    if port is not None:
        return Words(words[0], port, tuple(words[1:])) if is_address else Words(None, port, tuple(words))
    if has_number or (is_address and len(words) > 1):
        return Words(words[0], read_port(words[1]), tuple(words[2:]))
    return Words(words[0], None, ()) if is_address else Words(None, None, tuple(words))


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _with_option(said: Words, word: str) -> Words:
    name, _, value = word[1:].partition("=")
    take = _PLUS.get(name)
    if take is None:
        raise ValueError(f"there is no {word}: +{', +'.join(_PLUS)}")
    return take(said, value)


_PLUS: Final[dict[str, Callable[[Words, str], Words]]] = {
    "short": lambda said, value: replace(said, dns=True),  # bare answers are all that there is
    "tcp": lambda said, value: replace(said, dns=True, tcp=True),
    "tls": lambda said, value: replace(said, dns=True, scheme="tls"),
    "https": lambda said, value: replace(said, dns=True, scheme="https"),
    "tls-ca": lambda said, value: replace(said, ca=value or None),
    "tls-hostname": lambda said, value: replace(said, tls_name=value or None),
    "trace": lambda said, value: replace(said, dns=True, trace=True),
    "time": lambda said, value: replace(said, dns=True, timeout=read_seconds(value)),
    "tries": lambda said, value: replace(said, dns=True, tries=read_tries(value)),
}
