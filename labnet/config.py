"""The configuration: TOML in, a frozen and typed :class:`Config` out, or every error at once.

The field descriptions are the documentation of each key; docs/configuration.rst shows them.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from twisted.internet.endpoints import serverFromString

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has one sentence for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UDPListen(BaseModel):
    """A UDP address to listen on, written as Twisted writes endpoints: ``udp:PORT[:interface=ADDRESS]``."""

    model_config = ConfigDict(frozen=True)
    port: int
    interface: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"udp:{self.port}:interface={self.interface.replace(':', chr(92) + ':')}"


class ParentAddress(BaseModel):
    """A parent, written ``text:ADDRESS:PORT``: it speaks the course protocol over UDP."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int


def _many(value: object) -> tuple[object, ...]:
    """A key that takes a list takes its only item alone too."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _port(text: str, lowest: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from {lowest} to 65535")
    return int(text)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text.strip("[]")))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None


def parse_udp_listen(value: object) -> UDPListen:
    """Raises ValueError."""
    if isinstance(value, UDPListen):
        return value
    scheme, *rest = (part.replace("\\:", ":") for part in re.split(r"(?<!\\):", _string(value)))
    interface = "127.0.0.1"
    if scheme != "udp" or len(rest) not in (1, 2) or (len(rest) == 2 and not rest[1].startswith("interface=")):
        raise ValueError(f"{value!r} is no UDP listener: write udp:PORT:interface=ADDRESS")
    if len(rest) == 2:
        interface = _address(rest[1].removeprefix("interface="))
    return UDPListen(port=_port(rest[0]), interface=interface)


def parse_parent(value: object) -> ParentAddress:
    """Raises ValueError."""
    if isinstance(value, ParentAddress):
        return value
    scheme, _, rest = _string(value).partition(":")
    host, colon, port = rest.rpartition(":")
    if scheme != "text" or not colon:
        raise ValueError(f"{value!r} is no parent: write text:ADDRESS:PORT")
    return ParentAddress(host=_address(host), port=_port(port, lowest=1))


def _endpoint(value: object) -> str:
    text = _string(value)
    if text.startswith("systemd:"):
        return text  # can be told only by the process that systemd starts
    if text.startswith("udp:"):
        raise ValueError(f"{text!r} is UDP; the command server listens on tcp:PORT, unix:PATH or systemd:…")
    try:
        endpoint = serverFromString(object(), text)
        _port(str(getattr(endpoint, "_port", 0)))
    except Exception as error:
        raise ValueError(f"{text!r} is no Twisted endpoint ({error}); try tcp:8080:interface=127.0.0.1") from None
    return text


def _network(value: object) -> IPNetwork:
    if isinstance(value, IPNetwork):
        return value
    try:
        return ipaddress.ip_network(_string(value))
    except ValueError as error:
        raise ValueError(f"no network: {error}; write as 192.0.2.0/24") from None


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable text")
    return value


Endpoint = Annotated[str, BeforeValidator(_endpoint)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Network = Annotated[IPNetwork, BeforeValidator(_network)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class LabConfig(_Table):
    """``[lab]``: what all services share."""

    state: str = Field(
        default_factory=lambda: os.environ.get("STATE_DIRECTORY", "var").partition(":")[0],
        description="The folder for what is learned, relative to the folder labnet is started in.",
    )


class CommandConfig(_Table):
    """``[command]``: the TCP command server."""

    listen: Annotated[tuple[Endpoint, ...], BeforeValidator(_many)] = Field(
        ("tcp:8080:interface=127.0.0.1",), min_length=1, description="Twisted endpoint strings to listen on."
    )
    clients: int = Field(1, ge=0, description="Clients served at a time, the others wait; 0: no limit.")
    timeout: Seconds = Field(15.0, description="Seconds without a command until a connection is closed.")
    replies: Literal["handout", "transcript"] = Field(
        "handout", description="The assignment's words, or the published solution's."
    )
    exit_from: Annotated[tuple[Network, ...], BeforeValidator(_many)] = Field(
        (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Networks whose EXIT closes every socket; from elsewhere it closes that connection alone.",
    )


class ResolverConfig(_Table):
    """``[resolver.NAME]``: one resolver."""

    listen: Annotated[
        tuple[Annotated[UDPListen, BeforeValidator(parse_udp_listen)], ...],
        BeforeValidator(_many),
    ] = Field(min_length=1, description="UDP addresses to listen on: udp:PORT:interface=ADDRESS.")
    records: Annotated[tuple[str, ...], BeforeValidator(_many)] = Field(
        (), description="Records files, relative to this file; of one name the first line counts."
    )
    parents: Annotated[
        tuple[Annotated[ParentAddress, BeforeValidator(parse_parent)], ...],
        BeforeValidator(_many),
    ] = Field((), description="Servers asked in turn for unknown names: text:ADDRESS:PORT.")
    learned: str | None = Field(
        None, min_length=1, description="The file that keeps what is learned, below `state`; without it a stop forgets."
    )
    dialect: Literal["json", "line"] = Field("json", description="The transcript's replies, or name,address,ttl.")
    newline: bool = Field(False, description="In dialect line: end each reply with a newline.")
    unknown: Annotated[str, AfterValidator(_printable)] = Field(
        "", max_length=255, description="In dialect line: the reply for an unknown name."
    )
    parent_timeout: Seconds = Field(2.0, description="Seconds that a parent has for each try.")
    parent_tries: int = Field(2, ge=1, le=10, description="Tries with each parent.")
    default_ttl: int = Field(60, ge=0, le=2**31 - 1, description="Seconds, for a parent's answer without a TTL.")
    cache_names: int = Field(100_000, ge=1, description="Learned names kept at most; the oldest is forgotten first.")


class Config(_Table):
    """The whole lab, as the composition root takes it."""

    lab: LabConfig = Field(default_factory=LabConfig)
    command: CommandConfig | None = None
    resolver: Mapping[str, ResolverConfig] = Field(default_factory=dict)


def find(named: str | None = None) -> str | None:
    """The path of the configuration file: ``named``, ``$LABNET_CONFIG``, etc/labnet.toml here, /etc/labnet/labnet.toml.

    None where there is none of these: the built-in lab is to be run.
    """
    if chosen := named or os.environ.get("LABNET_CONFIG"):
        return os.path.abspath(chosen)
    for path in ("etc/labnet.toml", "/etc/labnet/labnet.toml"):
        if os.path.exists(path):
            return os.path.abspath(path)
    return None


def load(path: str | None, rundir: str = ".") -> Config:
    """The configuration in the file at ``path``, or the built-in one where it is None, with all paths made absolute.

    Raises :class:`ConfigError`.
    """
    if path is None:
        path = str(resources.files("labnet.builtin") / "labnet.toml")
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: is no TOML: {error}"]) from None
    return build(table, os.path.dirname(path), rundir, lambda key: f"{path}: {key}")


def build(table: dict[str, Any], base: str, rundir: str, where: Any = lambda key: key) -> Config:
    """The configuration in ``table``, its records relative to ``base`` and its state to ``rundir``.

    ``where`` words the place of an error from its dotted key. Raises :class:`ConfigError`.
    """
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError([f"{where(key)}: {says}" for key, says in _problems(error)]) from None
    if config.command is None and not config.resolver:
        raise ConfigError([f"{where('command')}: there is nothing to run: add a [command] or a [resolver.NAME] table"])
    state = os.path.abspath(os.path.join(rundir, config.lab.state))

    def absolute(resolver: ResolverConfig) -> ResolverConfig:
        records = tuple(os.path.abspath(os.path.join(base, file)) for file in resolver.records)
        learned = None if resolver.learned is None else os.path.join(state, resolver.learned)
        return resolver.model_copy(update={"records": records, "learned": learned})

    resolvers = {name: absolute(resolver) for name, resolver in config.resolver.items()}
    return config.model_copy(update={"lab": LabConfig(state=state), "resolver": resolvers})


def _problems(error: ValidationError) -> Iterator[tuple[str, str]]:
    problems = error.errors()
    wrong = [problem["loc"] for problem in problems]
    for problem in problems:
        path = [str(part) for part in problem["loc"]]
        key, kind, given = ".".join(path), problem["type"], problem.get("input")
        if kind == "too_short" and isinstance(given, tuple):
            # Pydantic counts only the items that were right, so a list with a wrong one looks empty too.
            if not any(loc[:-1] == problem["loc"] for loc in wrong):
                yield key, "must name at least one"
            continue
        if kind == "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _keys(path), 1)
            yield key, "there is no such key" + (f"; did you mean {near[0]}?" if near else "")
        elif kind == "missing":
            yield key, "this key is needed"
        elif kind == "value_error":
            yield key, problem["msg"].removeprefix("Value error, ")
        elif kind.endswith("_type"):
            expected = problem["msg"].removeprefix("Input should be ").replace("valid ", "")
            yield key, f"must be {'a table' if 'dictionary' in expected else expected}, not {given!r}"
        else:
            yield key, f"{problem['msg'].replace('Input s', 'S')}, not {given!r}".replace("Should be", "must be")


def _keys(path: Sequence[str]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {"lab": LabConfig, "command": CommandConfig, "resolver": ResolverConfig}
    table = Config if len(path) == 1 else tables.get(path[0], Config)
    return list(table.model_fields)
