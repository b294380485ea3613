"""``[key.NAME]``: the keys of signed messages (TSIG, RFC 8945), and who is told to use them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

from labnet.net.kernel.regular import read_regular
from labnet.values.addresses import IPNetwork
from labnet.values.model import Model, field
from labnet.values.servers import KeyName, ServerAddress
from labnet.values.texts import Path, Secret, read_secret
from labnet.wire.names import wire_of

Problem = tuple[str, str]
"""A key of the configuration, and what is wrong there."""


_LARGEST: Final = 10_000
"""Bytes of a file with a secret."""


class KeyConfig(Model):
    """``[key.NAME]``: a key that messages are signed by; both sides have it by the same name."""

    algorithm: Literal[
        "hmac-sha1",
        "hmac-sha224",
        "hmac-sha256",
        "hmac-sha256-128",
        "hmac-sha384",
        "hmac-sha384-192",
        "hmac-sha512",
        "hmac-sha512-256",
    ] = field("hmac-sha256", description="The digest that messages are signed with.")
    secret: Secret | None = field(None, repr=False, description="The secret that both sides know, in base64.")
    secret_file: Path | None = field(
        None, description="A file with nothing but the secret, in base64, relative to this file, in place of `secret`."
    )


class HasServers(Protocol):
    """What of a resolver's table names keys."""

    @property
    def zones(self) -> Sequence[str]: ...

    @property
    def transfer(self) -> Sequence[IPNetwork | KeyName]: ...

    @property
    def notify(self) -> Sequence[ServerAddress]: ...

    @property
    def secondary(self) -> Mapping[str, Sequence[ServerAddress]]: ...


def with_secrets(keys: Mapping[str, KeyConfig], base: str) -> tuple[dict[str, KeyConfig], list[Problem]]:
    """``keys`` by their names in small letters, with the secrets of files relative to ``base``; and what is wrong."""
    found: dict[str, KeyConfig] = {}
    problems: list[Problem] = []
    for name, key in keys.items():
        place = f"key.{name}"
        if wire_of(name) is None or "\\" in name:
            problems.append((place, f"{name!r} is no domain name, as which keys are named"))
            continue
        if (key.secret is None) == (key.secret_file is None):
            problems.append((place, "needs either secret or secret_file"))
            continue
        if key.secret_file is not None:
            path = os.path.abspath(os.path.join(base, key.secret_file))
            try:
                text = read_regular(path, largest=_LARGEST).decode("ascii", "replace")
                secret = read_secret(text.strip())
            except OSError as error:
                problems.append((f"{place}.secret_file", f"{path} cannot be read: {error.strerror}"))
                continue
            except ValueError:
                problems.append((f"{place}.secret_file", f"{path} must hold a secret in base64 and nothing else"))
                continue
            key = key.model_copy(update={"secret": secret})
        found[name.rstrip(".").lower()] = key
    return found, problems


def key_problems(resolver: str, config: HasServers, keys: Mapping[str, KeyConfig]) -> Iterator[Problem]:
    """What is wrong with the keys that ``resolver`` is told to use, and with the zones that it is to have."""
    names = set(map(_folded, keys))
    place = f"resolver.{resolver}"
    named = [(f"{place}.transfer", rule.name) for rule in config.transfer if isinstance(rule, KeyName)]
    named += [(f"{place}.notify", server.key) for server in config.notify]
    for zone, servers in config.secondary.items():
        named += [(f"{place}.secondary.{zone}", server.key) for server in servers]
        if not servers:
            yield f"{place}.secondary.{zone}", "must name at least one primary"
        if _folded(zone) in map(_folded, config.zones):
            yield f"{place}.secondary.{zone}", "is one of zones too, whose records are in files: name it once"
    for key, name in named:
        if name and name not in names:
            yield key, f"there is no key {name!r}: add a [key.{name}] table, or mend the name"


def _folded(zone: str) -> str:
    return zone.rstrip(".").lower()
