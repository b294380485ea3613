"""How other servers are written in the configuration: parents, servers of zones, and the keys they sign with.

Each reader takes what TOML gave and raises ValueError with a sentence that says how to write it instead.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from labnet.values.addresses import IPNetwork, read_address, read_network, read_port
from labnet.values.model import Checks, Model, Reads, Written
from labnet.values.texts import _DOMAIN, Many, read_dialect, read_text

_DOT = re.compile(
    r"dot:(?:\[(?P<bracketed>[^\]#]*)\]|(?P<host>[^#\[\]:]+|[^#\[\]]*:[^#\[\]]*:[^#\[\]]*))(?::(?P<port>\d+))?(?:#(?P<name>.+))?"
)


_DOH = re.compile(
    r"doh:https://(?:\[(?P<bracketed>[^\]]*)\]|(?P<name>[^/:@\[\]]+))(?::(?P<port>\d+))?(?P<path>/[!-?A-~]*)(?:@(?P<host>.+))?"
)


class ParentAddress(Model):
    """A parent: ``text:ADDRESS:PORT`` speaks the course protocol, ``dns:ADDRESS[:PORT]`` and ``dns+tcp:`` DNS.

    ``text+DIALECT:ADDRESS:PORT`` is asked in that dialect, where others are asked in the resolver's own.

    ``dot:ADDRESS[:PORT][#NAME]`` and ``doh:https://NAME[:PORT]/PATH[@ADDRESS]`` are asked by DNS over TLS and over
    HTTPS; the certificate has to have the ``name``, or the address where there is none.

    ``system`` stands for the name servers of /etc/resolv.conf, ``root`` for recursion from the root hints; they have no
    address. A ``stub`` is a server of a zone, where recursion begins for the names in that.
    """

    kind: Literal["text", "dns", "dns+tcp", "dot", "doh", "system", "root", "stub"]
    host: str = ""
    port: int = 0
    dialect: str = ""
    name: str = ""
    path: str = ""

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.kind in ("dot", "doh")

    @property
    def authority(self) -> str:
        """Name and port of a ``doh:`` parent, as its URL has them."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == 443 else f"{name}:{self.port}"


class KeyName(Model):
    """A key for signed messages, as it is named where it may or has to be used: ``key:NAME``."""

    name: str


class ServerAddress(Model):
    """Another server of a zone: ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``, with ``key:NAME`` behind a space.

    ``key`` is the name of the key that messages to and from it are signed by, "" where they are not.
    """

    host: str
    port: int = 53
    key: str = ""


def parse_parent(value: object) -> ParentAddress:
    """Raises ValueError."""
    if isinstance(value, ParentAddress):
        return value
    text = read_text(value)
    if text == "system":
        return ParentAddress(kind="system")
    if text == "root":
        return ParentAddress(kind="root")
    if text.startswith(("dot:", "doh:")):
        return _encrypted_parent(text)
    kinds: dict[str, Literal["text", "dns", "dns+tcp"]] = {"text": "text", "dns": "dns", "dns+tcp": "dns+tcp"}
    scheme, _, rest = text.partition(":")
    scheme, _, dialect = scheme.partition("+") if scheme.startswith("text+") else (scheme, "", "")
    kind = kinds.get(scheme)
    if dialect:
        read_dialect(dialect)
    if kind is None or not rest:
        raise ValueError(
            f"{value!r} is no parent: write text:ADDRESS:PORT, dns:ADDRESS, dns+tcp:ADDRESS, dot:ADDRESS#NAME, "
            "doh:https://NAME/PATH@ADDRESS, system or root"
        )
    port = ""
    bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", rest)
    if bracketed is not None:
        rest, port = bracketed[1], bracketed[2] or ""
    elif rest.count(":") == 1 or kind == "text":
        rest, _, port = rest.rpartition(":")
    if kind == "text" and not rest:
        raise ValueError(f"{value!r} is no parent: write text:ADDRESS:PORT")
    return ParentAddress(
        kind=kind,
        host=read_address(rest),
        port=53 if kind != "text" and not port else read_port(port, lowest=1),
        dialect=dialect,
    )


def _encrypted_parent(text: str) -> ParentAddress:
    """Raises ValueError."""
    dot = _DOT.fullmatch(text)
    if dot is not None:
        host, port, name = dot["bracketed"] or dot["host"], dot["port"], dot["name"] or ""
        return ParentAddress(
            kind="dot", host=read_address(host), port=read_port(port or "853", lowest=1), name=name and _host_name(name)
        )
    doh = _DOH.fullmatch(text)
    if doh is None:
        form = "dot:ADDRESS[:PORT]#NAME" if text.startswith("dot:") else "doh:https://NAME[:PORT]/PATH@ADDRESS"
        raise ValueError(f"{text!r} is no encrypted parent: write {form}")
    name, path = doh["bracketed"] or doh["name"], doh["path"].removesuffix("{?dns}")
    try:
        host = read_address(doh["host"] or name)
    except ValueError:
        if doh["host"] is not None:
            raise
        raise ValueError(f"{text!r} has to say where {name} is, as this is what looks names up: …@ADDRESS") from None
    return ParentAddress(kind="doh", host=host, port=read_port(doh["port"] or "443", lowest=1), name=name, path=path)


def _host_name(name: str) -> str:
    if not _DOMAIN.fullmatch(name) or name == ".":
        raise ValueError(f"{name!r} is no name of a server")
    return name.removesuffix(".")


def parse_stub_server(value: object) -> ParentAddress:
    """Raises ValueError."""
    if isinstance(value, ParentAddress) and value.kind == "stub":
        return value
    text = read_text(value)
    try:
        parent = parse_parent(text if text.startswith("dns:") else f"dns:{text}")
    except ValueError:
        raise ValueError(f"{value!r} is no server of a zone: write dns:ADDRESS or dns:ADDRESS:PORT") from None
    return parent.model_copy(update={"kind": "stub"})


def _one_port(servers: tuple[ParentAddress, ...]) -> tuple[ParentAddress, ...]:
    """``servers``, at least one. Raises ValueError."""
    if len({server.port for server in servers}) != 1:
        raise ValueError("must be servers at one port, which those of the zones below are asked at too")
    return servers


def _key_name(text: str) -> str:
    name = text.removeprefix("key:")
    if name == text or not _DOMAIN.fullmatch(name):
        raise ValueError(f"{text!r} is no key: write key:NAME")
    return name.rstrip(".").lower()


def parse_network_or_key(value: object) -> IPNetwork | KeyName:
    """Raises ValueError."""
    if isinstance(value, KeyName):
        return value
    if isinstance(value, str) and value.startswith("key:"):
        return KeyName(name=_key_name(value))
    return read_network(value)


def parse_server(value: object) -> ServerAddress:
    """Raises ValueError."""
    if isinstance(value, ServerAddress):
        return value
    place, *keys = read_text(value).split() or [""]
    if len(keys) > 1:
        raise ValueError(f"{value!r} is no server: write ADDRESS[:PORT], and key:NAME behind a space")
    bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", place)
    host, port = (bracketed[1], bracketed[2] or "") if bracketed is not None else (place, "")
    if place.count(":") == 1:
        host, _, port = place.partition(":")
    key = _key_name(keys[0]) if keys else ""
    return ServerAddress(host=read_address(host), port=read_port(port, lowest=1) if port else 53, key=key)


NetworkOrKey = Annotated[IPNetwork | KeyName, Reads(parse_network_or_key), Written("network or key")]


Parent = Annotated[ParentAddress, Reads(parse_parent), Written("parent")]


Stub = Annotated[ParentAddress, Reads(parse_stub_server), Written("server")]


Stubs = Annotated[Many[Stub], Checks(_one_port)]


Server = Annotated[ServerAddress, Reads(parse_server), Written("server")]
