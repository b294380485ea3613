"""How single values of the configuration are written: listeners, parents, files, networks.

Each reader takes what TOML gave and raises ValueError with a sentence that says how to write it instead.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from pwd import getpwnam
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory

from labnet.dialects.library import is_path, shipped
from labnet.dialects.template import TemplateError, fields_of
from labnet.wire.nat64 import problem_of

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""The addresses of IPv4 inside IPv6 (RFC 4291, section 2.5.5.2)."""

_REDIS_URL = re.compile(r"redis://(?:[^\s:@/]*:[^\s@/]*@)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:/\d{1,4})?")
_LOGIN = re.compile(r"//.*@", re.DOTALL)
_DOMAIN = re.compile(r"\.|(?:[^.\s]{1,63}\.)*[^.\s]{1,63}\.?")


_DOT = re.compile(
    r"dot:(?:\[(?P<bracketed>[^\]#]*)\]|(?P<host>[^#\[\]:]+|[^#\[\]]*:[^#\[\]]*:[^#\[\]]*))(?::(?P<port>\d+))?(?:#(?P<name>.+))?"
)
_DOH = re.compile(
    r"doh:https://(?:\[(?P<bracketed>[^\]]*)\]|(?P<name>[^/:@\[\]]+))(?::(?P<port>\d+))?(?P<path>/[!-?A-~]*)(?:@(?P<host>.+))?"
)


class UDPListen(BaseModel):
    """A UDP address to listen on, written as Twisted writes endpoints: ``udp:PORT[:interface=ADDRESS]``."""

    model_config = ConfigDict(frozen=True)
    port: int
    interface: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"udp:{self.port}:interface={self.interface.replace(':', chr(92) + ':')}"


class ParentAddress(BaseModel):
    """A parent: ``text:ADDRESS:PORT`` speaks the course protocol, ``dns:ADDRESS[:PORT]`` and ``dns+tcp:`` DNS.

    ``text+DIALECT:ADDRESS:PORT`` is asked in that dialect, where others are asked in the resolver's own.

    ``dot:ADDRESS[:PORT][#NAME]`` and ``doh:https://NAME[:PORT]/PATH[@ADDRESS]`` are asked by DNS over TLS and over
    HTTPS; the certificate has to have the ``name``, or the address where there is none.

    ``system`` stands for the name servers of /etc/resolv.conf, ``root`` for recursion from the root hints; they have no
    address. A ``stub`` is a server of a zone, where recursion begins for the names in that.
    """

    model_config = ConfigDict(frozen=True)
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


class LocalUser(BaseModel):
    """A user of this machine: ``user:NAME`` or ``user:UID``."""

    model_config = ConfigDict(frozen=True)
    uid: int

    def __str__(self) -> str:
        return f"user:{self.uid}"


class KeyName(BaseModel):
    """A key for signed messages, as it is named where it may or has to be used: ``key:NAME``."""

    model_config = ConfigDict(frozen=True)
    name: str


class ServerAddress(BaseModel):
    """Another server of a zone: ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``, with ``key:NAME`` behind a space.

    ``key`` is the name of the key that messages to and from it are signed by, "" where they are not.
    """

    model_config = ConfigDict(frozen=True)
    host: str
    port: int = 53
    key: str = ""


class RecordsFile(BaseModel):
    """A records file: ``course:FILE``, ``hosts:FILE``, ``zone:FILE``, or FILE alone, whose content says its kind."""

    model_config = ConfigDict(frozen=True)
    path: str
    kind: Literal["course", "hosts", "zone"] | None = None


def _many(value: object) -> tuple[object, ...]:
    """A key that takes a list takes its only item alone too."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def read_text(value: object) -> str:
    """Text of the configuration. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def read_port(text: str, lowest: int = 0) -> int:
    """A port number. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from {lowest} to 65535")
    return int(text)


def read_address(text: str) -> str:
    """An IP address, ``localhost`` for the first of IPv4. Raises ValueError."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if text == "localhost" else text.strip("[]"))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    if lacks_zone(address):
        raise ValueError(f"{text!r} is on every link: write it with one, as in {address}%eth0")
    return str(address)


def lacks_zone(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether ``address`` is link-local and does not say on which link, so that no socket takes it (RFC 4007)."""
    return isinstance(address, ipaddress.IPv6Address) and address.is_link_local and address.scope_id is None


def parse_udp_listen(value: object) -> UDPListen:
    """Raises ValueError."""
    if isinstance(value, UDPListen):
        return value
    scheme, *rest = (part.replace("\\:", ":") for part in re.split(r"(?<!\\):", read_text(value)))
    interface = "127.0.0.1"
    if scheme != "udp" or len(rest) not in (1, 2) or (len(rest) == 2 and not rest[1].startswith("interface=")):
        raise ValueError(f"{value!r} is no UDP listener: write udp:PORT:interface=ADDRESS")
    if len(rest) == 2:
        interface = read_address(rest[1].removeprefix("interface="))
    return UDPListen(port=read_port(rest[0]), interface=interface)


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
        _dialect(dialect)
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


def parse_records_file(value: object) -> RecordsFile:
    """Raises ValueError."""
    if isinstance(value, RecordsFile):
        return value
    text = read_text(value)
    kinds: tuple[Literal["course", "hosts", "zone"], ...] = ("course", "hosts", "zone")
    for kind in kinds:
        if text.startswith(kind + ":"):
            return RecordsFile(path=read_path(text.removeprefix(kind + ":")), kind=kind)
    return RecordsFile(path=read_path(text))


def _domain(value: object) -> str:
    text = read_text(value)
    if not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is no domain name")
    return text


def _endpoint(value: object) -> str:
    text = read_text(value)
    if text.startswith("systemd:"):
        return text  # only a process that systemd starts has such sockets
    if text.startswith("udp:"):
        raise ValueError(f"{text!r} is UDP; the command server listens on tcp:PORT, unix:PATH or systemd:…")
    try:
        read_port(str(tcp_address(text)[1]))
    except Exception as error:
        raise ValueError(f"{text!r} is no Twisted endpoint ({error}); try tcp:8080:interface=127.0.0.1") from None
    return text


class _Listening:
    """In the place of a reactor: notes where an endpoint would listen."""

    address = "", 0

    def listenTCP(self, port: int, factory: object, backlog: int = 0, interface: str = "") -> None:
        self.address = interface, port

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None


def tcp_address(endpoint: str) -> tuple[str, int]:
    """Interface and port of a Twisted ``endpoint``; "" and 0 for another kind than TCP.

    Raises what Twisted raises for text that is no endpoint.
    """
    reactor = _Listening()
    serverFromString(reactor, endpoint).listen(Factory()).addErrback(lambda _: None)
    return reactor.address


def _network(value: object) -> IPNetwork:
    if isinstance(value, IPNetwork):
        return value
    try:
        network = ipaddress.ip_network(read_text(value))
    except ValueError as error:
        raise ValueError(f"no network: {error}; write as 192.0.2.0/24") from None
    if isinstance(network, ipaddress.IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= _MAPPED.prefixlen:
        return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED.prefixlen))
    # ::/0 is how all of IPv6 is written, and nobody means the IPv4 clients by it.
    if network.prefixlen and network.supernet_of(_MAPPED):
        raise ValueError(f"{value!r} holds IPv4 addresses, which count as IPv4: write those as 192.0.2.0/24")
    return network


def _translation_prefix(value: object) -> ipaddress.IPv6Network:
    if isinstance(value, ipaddress.IPv6Network):
        return value
    try:
        network = ipaddress.IPv6Network(read_text(value))
    except ValueError as error:
        raise ValueError(f"no IPv6 network: {error}; write as 64:ff9b::/96") from None
    problem = problem_of(network)
    if problem is not None:
        raise ValueError(f"{value!r} {problem} (RFC 6052)")
    return network


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


def parse_network_or_user(value: object) -> IPNetwork | LocalUser:
    """Raises ValueError."""
    if isinstance(value, LocalUser):
        return value
    if not (isinstance(value, str) and value.startswith("user:")):
        return _network(value)
    name = value.removeprefix("user:")
    if name.isascii() and name.isdigit() and len(name) <= 10:
        return LocalUser(uid=int(name))
    try:
        return LocalUser(uid=getpwnam(name).pw_uid)
    except (KeyError, ValueError):
        raise ValueError(f"there is no user {name!r} on this machine") from None


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
    return _network(value)


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


def _secret(value: object) -> bytes:
    """A secret in base64; what is wrong with it is said without it."""
    try:
        secret = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        secret = b""
    if not secret:
        raise ValueError("must be a secret in base64, such as tsig-keygen makes")
    return secret


def _redis_url(value: object) -> str:
    text = read_text(value)
    if not _REDIS_URL.fullmatch(text):
        shown = _LOGIN.sub("//…@", text)  # the password is nobody's to read
        raise ValueError(f"must be redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], not {shown!r}")
    return text


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable text")
    return value


def _dialect(value: object) -> str:
    """The name of a dialect that labnet has, or the path of a file. Raises ValueError."""
    text = read_text(value)
    if is_path(text):
        return read_path(text)
    known = shipped()
    if text not in known:
        raise ValueError(f"there is no dialect {text!r}: write the path of a file, or one of {', '.join(known)}")
    return text


def _unknown(value: str) -> str:
    """The form of a reply, of which the name is the only field. Raises ValueError."""
    try:
        wrong = [field for field in fields_of(_printable(value)) if field != "name"]
    except TemplateError as error:
        raise ValueError(str(error)) from None
    if wrong:
        raise ValueError(f"has {{{wrong[0]}}}: only {{name}} is filled in")
    return value


def _short(value: str) -> str:
    """``value``, if an answer has room for it beside everything else. Raises ValueError."""
    if len(value.encode()) > 64:
        raise ValueError("must be 64 bytes at most")
    return value


def read_path(value: str) -> str:
    """A path that a file may have. Raises ValueError."""
    if not value:
        raise ValueError("must name a file")
    if "\0" in value:
        raise ValueError(f"{value!r} is no path: it holds a NUL")
    return value


class _OneOrMany:
    """Has the JSON schema of a key say that its only item may stand alone."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        array = handler(core)
        return {"anyOf": [array["items"], array]}


def text_schema(kind: str) -> WithJsonSchema:
    """The JSON schema of text that is a ``kind`` of value; the page of the keys calls it by that word too."""
    return WithJsonSchema({"type": "string", "format": kind})


_Item = TypeVar("_Item")
Many = Annotated[tuple[_Item, ...], BeforeValidator(_many), _OneOrMany()]

Domain = Annotated[str, BeforeValidator(_domain), text_schema("domain")]
Endpoint = Annotated[str, BeforeValidator(_endpoint), text_schema("endpoint")]
File = Annotated[RecordsFile, BeforeValidator(parse_records_file), text_schema("records-file")]
Network = Annotated[IPNetwork, BeforeValidator(_network), text_schema("network")]
NetworkOrKey = Annotated[IPNetwork | KeyName, BeforeValidator(parse_network_or_key), text_schema("network or key")]
NetworkOrUser = Annotated[IPNetwork | LocalUser, BeforeValidator(parse_network_or_user), text_schema("network or user")]
Parent = Annotated[ParentAddress, BeforeValidator(parse_parent), text_schema("parent")]
Stub = Annotated[ParentAddress, BeforeValidator(parse_stub_server), text_schema("server")]
Stubs = Annotated[Many[Stub], AfterValidator(_one_port)]
TranslationNetwork = Annotated[ipaddress.IPv6Network, BeforeValidator(_translation_prefix), text_schema("prefix")]
Path = Annotated[str, Field(min_length=1), AfterValidator(read_path), text_schema("path")]
DialectName = Annotated[str, BeforeValidator(_dialect), text_schema("dialect")]
Unknown = Annotated[str, AfterValidator(_unknown)]
Printable = Annotated[str, AfterValidator(_printable)]
ServerName = Annotated[str, AfterValidator(_printable), AfterValidator(_short)]
RedisURL = Annotated[str, BeforeValidator(_redis_url), text_schema("redis-url")]
Secret = Annotated[bytes, BeforeValidator(_secret), text_schema("base64")]
Server = Annotated[ServerAddress, BeforeValidator(parse_server), text_schema("server")]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
TTL = Annotated[int, Field(ge=0, le=2**31 - 1)]
