"""The configuration: TOML in, a frozen and typed :class:`Config` out, or every error at once.

The field descriptions are the documentation of each key; docs/configuration.rst shows them.
"""

from __future__ import annotations

import contextlib
import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from labnet.config_keys import KeyConfig, key_problems, with_secrets
from labnet.dialects.library import find as find_dialect
from labnet.dialects.library import is_path
from labnet.dialects.reader import DialectError
from labnet.filter_tables import BlockTable, ListName
from labnet.listeners import Listener, TLSListen
from labnet.net.kernel.regular import read_regular
from labnet.packages import hint
from labnet.values import (
    TTL,
    DialectName,
    Domain,
    Endpoint,
    File,
    Many,
    Network,
    NetworkOrKey,
    NetworkOrUser,
    Parent,
    Path,
    Printable,
    RedisURL,
    Seconds,
    Server,
    ServerName,
    Stubs,
    TranslationNetwork,
    Unknown,
)
from labnet.wire.names import key_of, text_of

LARGEST: Final = 10_000_000
"""Bytes of a configuration file."""


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has one sentence for each thing that is wrong.

    ``readable`` are the resolvers in it whose files can be read all the same, for what is wrong in those to be told in
    the same go.
    """

    def __init__(self, problems: Sequence[str], readable: Sequence[ResolverConfig] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.readable = tuple(readable)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class LabConfig(_Table):
    """``[lab]``: what all services share."""

    state: Path = Field(
        default_factory=lambda: os.environ.get("STATE_DIRECTORY", "var").partition(":")[0],
        description="The folder for what is learned, relative to the folder labnet is started in.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that serve the resolvers' ports together.")
    freebind: bool = Field(
        True, description="Listen on addresses that no interface has yet, with a warning; false: that is an error."
    )
    watch: bool = Field(False, description="Reload when the configuration or a records file has changed.")
    grace: Seconds = Field(5.0, description="Seconds that a stop waits for answers in flight and for unread replies.")


class CommandConfig(_Table):
    """``[command]``: the TCP command server."""

    listen: Many[Endpoint] = Field(
        ("tcp:8080:interface=127.0.0.1",), min_length=1, description="Twisted endpoint strings to listen on."
    )
    clients: int = Field(1, ge=0, description="Clients served at a time, the others wait; 0: no limit.")
    timeout: Seconds = Field(15.0, description="Seconds without a command until a connection is closed.")
    turn: Seconds = Field(600.0, description="Seconds that a session may last in all while others wait for its place.")
    replies: Literal["handout", "transcript"] = Field(
        "handout", description="The assignment's words, or the published solution's."
    )
    dialect: DialectName | None = Field(
        None,
        description="Another course's commands and words: bare, jam, prefixed, echo, … (labnet dialect list), or the "
        "path of a dialect file, relative to this file; default: what replies says.",
    )
    exit_from: Many[NetworkOrUser] = Field(
        LOOPBACK,
        description="Networks, and users of this machine (user:NAME), whose EXIT closes every socket; from others it "
        "closes that connection alone.",
    )
    allow: Many[Network] = Field(LOOPBACK, description="Networks that are served; other connections are closed.")
    deny: Many[Network] = Field((), description="Networks that are not served, even inside one that is allowed.")
    sessions: int = Field(20_000, ge=1, description="Connections at a time in all, waiting ones too; more are closed.")
    sessions_per_address: int = Field(100, ge=0, description="Connections of one address at a time; 0: no limit.")
    connect_rate: float = Field(
        0, ge=0, le=1e9, description="New connections a second from one client network (/24, /56); 0: no limit."
    )


class ResolverConfig(_Table):
    """``[resolver.NAME]``: one resolver."""

    listen: Many[Listener] = Field(
        min_length=1,
        description="Addresses to listen on by UDP, and by TCP on the same number: udp:PORT:interface=ADDRESS; "
        "encrypted, by TCP alone: tls:PORT:interface=ADDRESS:certificate=FILE:key=FILE, and https: with the same.",
    )
    records: Many[File] = Field(
        (), description="Records files, relative to this file: course:FILE, hosts:FILE, zone:FILE, or FILE alone."
    )
    zones: Many[Domain] = Field(
        (), description="Domains that the records have in full: answers for them are authoritative and end here."
    )
    transfer: Many[NetworkOrKey] = Field(
        (),
        description="Who may have these zones in full (AXFR, IXFR): networks, and whoever signs with key:NAME; "
        "default: nobody.",
    )
    transfers: int = Field(10, ge=1, le=1000, description="Zones that are given in full at a time; more are refused.")
    notify: Many[Server] = Field(
        (), description="Servers that are told when one of these zones is a newer one: ADDRESS[:PORT] [key:NAME]."
    )
    secondary: Mapping[Domain, Many[Server]] = Field(
        default_factory=dict,
        description="Zones that are had from other servers, and kept below `state`: a table, zone = [primaries], each "
        "ADDRESS[:PORT] [key:NAME].",
    )
    reverse: bool = Field(True, description="Derive PTR records from the addresses in the records.")
    parents: Many[Parent] = Field(
        (),
        description="Servers for unknown names: text:ADDRESS:PORT (course protocol; text+DIALECT: in that one), "
        "dns:ADDRESS[:PORT], dns+tcp:ADDRESS[:PORT], dot:ADDRESS[:PORT]#NAME (over TLS), "
        "doh:https://NAME/PATH@ADDRESS (over HTTPS), system (those of /etc/resolv.conf), root (recursion from the root "
        "hints).",
    )
    forward: Mapping[Domain, Many[Parent]] = Field(
        default_factory=dict, description="Parents for single domains: a table, domain = [parents]."
    )
    block: Mapping[ListName, BlockTable] = Field(
        default_factory=dict, description="Lists of names that are blocked: a table for each, block.LIST."
    )
    rebind_protection: bool = Field(
        False, description="Pass on no private address that a parent gives (DNS rebinding): there is no record then."
    )
    rebind_exempt: Many[Domain] = Field((), description="Domains whose names may have private addresses all the same.")
    stub: Mapping[Domain, Stubs] = Field(
        default_factory=dict,
        description="Servers of zones, asked without recursion as those met below: a table, domain = [servers].",
    )
    dns64: TranslationNetwork | None = Field(
        None, description="Make AAAA records of A records, behind this prefix: 64:ff9b::/96, or one of a translator's."
    )
    dns64_exclude: Many[Network] = Field(
        (), description="IPv6 networks whose AAAA records count as none for that, and IPv4 networks that are left out."
    )
    hints: Path | None = Field(
        None, description="Root hints for parents = root, relative to this file; default: the real root's."
    )
    root_port: int = Field(53, ge=1, le=65535, description="The port of every server met by recursion from the root.")
    ca: Path | None = Field(
        None,
        description="The authorities that certificates of dot: and doh: parents are checked by, PEM, relative to this "
        "file; default: the system's.",
    )
    dnssec: Literal["off", "validate"] = Field(
        "off",
        description="validate: what DNS parents and recursion say counts if it is signed as its zone ought to be, else "
        "the question fails; what course parents say counts as it is.",
    )
    trust_anchors: Path | None = Field(
        None,
        description="DS or DNSKEY records that validation begins at, relative to this file; default: the real root's.",
    )
    insecure: Many[Domain] = Field(
        (), description="Domains that are not validated, as a company's own names that nobody signs."
    )
    learned: Path | None = Field(
        None, description="The file that keeps what is learned, below `state`; without it a stop forgets."
    )
    dialect: DialectName = Field(
        "json",
        description="How the course protocol is spoken: json (the transcript's replies), line, zone, … (labnet dialect "
        "list), or the path of a dialect file, relative to this file.",
    )
    newline: bool = Field(False, description="End each reply with a newline, but for dialect json.")
    unknown: Unknown | None = Field(
        None,
        max_length=255,
        description='The reply for an unknown name, which {name} stands for, not in dialect json; "": an empty '
        "datagram; default: the dialect's, which is {name},not found,0 in line.",
    )
    referral_port: int | None = Field(
        None, ge=1, le=65535, description="The port of a server that is referred to without one; default: the own port."
    )
    parent_timeout: Seconds = Field(2.0, description="Seconds that a parent has for each try.")
    parent_tries: int = Field(2, ge=1, le=10, description="Tries with each parent.")
    mixed_case: bool = Field(True, description="Ask DNS servers in letters of random case, against forged replies.")
    default_ttl: TTL = Field(60, description="Seconds, for a course parent's answer without a TTL.")
    course_ttl_max: TTL = Field(86400, description="Seconds that a course parent's answer is kept at most.")
    ttl_min: TTL = Field(0, description="Seconds that a DNS parent's answer is kept at least.")
    ttl_max: TTL = Field(86400, description="Seconds that a DNS parent's answer is kept at most.")
    negative_ttl_max: TTL = Field(3600, description="Seconds that a DNS parent's negative answer is kept at most.")
    serve_stale: TTL = Field(0, description="Seconds past its TTL that an answer serves if no parent answers; 0: off.")
    prefetch: bool = Field(True, description="Ask a DNS parent anew for names asked near the end of their TTL.")
    cache_bytes: int = Field(32_000_000, ge=100_000, description="Bytes that what is learned may take.")
    batch: bool = Field(True, description="On Linux, read and write datagrams in batches.")
    batch_delay: float = Field(
        0.00025,
        ge=0,
        le=0.01,
        description="Seconds that questions may wait to be answered by the batch; 0: they do not.",
    )
    packet_cache_bytes: int = Field(
        16_000_000, ge=0, description="Bytes that ready answers may take, for each protocol; 0: none are kept."
    )
    in_flight: int = Field(500, ge=1, description="Questions asked of the parents at a time; more are refused.")
    nsid: ServerName = Field("", description="The server's name for clients that ask for it (NSID); default: none.")
    identify: bool = Field(
        False, description="Answer id.server with the text of nsid and version.bind with the version, in class CHAOS."
    )
    explain: bool = Field(True, description="Say by an extended DNS error where each answer comes from.")
    tcp_idle: Seconds = Field(10.0, description="Seconds that a silent TCP connection of DNS is kept.")
    tcp_connections: int = Field(150, ge=1, description="TCP connections of DNS at a time; the oldest makes room.")
    tcp_per_address: int = Field(50, ge=0, description="TCP connections of DNS of one address at a time; 0: no limit.")
    allow: Many[Network] = Field(LOOPBACK, description="Networks that are served; others are refused.")
    deny: Many[Network] = Field((), description="Networks that get no answer at all, even inside an allowed one.")
    recursion: Many[Network] | None = Field(
        None, description="Networks that get more than the records: what is learned, and parents asked; default: allow."
    )
    rate_limit: float = Field(
        200, ge=0, le=1e9, description="UDP answers a second to one client network (/24, /56); 0: no limit."
    )
    rate_burst: float = Field(3, ge=1, le=3600, description="Seconds of rate_limit that may be used up at once.")
    rate_slip: int = Field(
        2, ge=0, le=100, description="Of the DNS answers past rate_limit, each n-th is sent truncated; 0: none."
    )
    rate_exempt: Many[Network] = Field(LOOPBACK, description="Networks without a rate limit.")
    in_flight_per_client: int = Field(
        100, ge=1, description="Questions of one client network (/24, /56) in flight at a time; more are refused."
    )
    _keys: Mapping[str, KeyConfig] = PrivateAttr(default_factory=dict)
    _folder: str = PrivateAttr("")

    @property
    def keys(self) -> Mapping[str, KeyConfig]:
        """The keys that messages may be signed by, by their names."""
        return self._keys

    def zone_file(self, key: bytes) -> str:
        """Where the zone of ``secondary`` with this key (:mod:`labnet.wire.names`) is kept."""
        return os.path.join(self._folder, quote(text_of(key), safe="-_.*") + ".zone")

    def placed(self, folder: str, keys: Mapping[str, KeyConfig]) -> ResolverConfig:
        """A copy that has those."""
        copied = self.model_copy()
        copied._folder, copied._keys = folder, keys
        return copied

    @property
    def every_zone(self) -> tuple[str, ...]:
        """Those of ``zones`` and of ``secondary``."""
        return (*self.zones, *self.secondary)

    @model_validator(mode="after")
    def _asks_each_domain_in_one_way(self) -> ResolverConfig:
        both = {key_of(domain) for domain in self.forward} & {key_of(domain) for domain in self.stub}
        if both:
            raise ValueError(f"has {text_of(min(both))} in both forward and stub: leave one of them out")
        return self


class CaptureConfig(_Table):
    """``[capture]``: the lab's own traffic."""

    file: Path | None = Field(
        None, description="Write what the lab sends and receives to this pcapng file, below `state`; default: none."
    )


class ConsoleConfig(_Table):
    """``[console]``: how the lab is looked at and told what to do."""

    listen: Many[Endpoint] = Field(
        (), description="Twisted endpoint strings for /metrics, /health and /ready by HTTP; default: none."
    )
    control: Path | None = Field(
        "control.sock", description="The UNIX socket, below `state`, that labnet status, reload and the others use."
    )
    log: Path | None = Field(None, description="Write the log to this file as well, below `state`, as JSON lines.")
    page: Many[Endpoint] = Field(
        (), description="Twisted endpoint strings for the live page; a port that is taken is replaced by a free one."
    )
    page_token: Printable = Field(
        "",
        max_length=128,
        repr=False,
        description="What the operator shows to see the page; default: nothing on loopback, elsewhere one that is made "
        "at the start and logged.",
    )
    page_viewers: Mapping[str, Printable] = Field(
        default_factory=dict,
        repr=False,
        description="Tokens of those who see one resolver alone: a table, resolver = token.",
    )
    page_hosts: Many[str] = Field(
        (), description="Host names that the page is reached by; its addresses and localhost need none."
    )
    query_log: Path | None = Field(None, description="Write questions and their answers to this file, below `state`.")
    query_sample: float = Field(1.0, gt=0, le=1, description="The share of the questions that the query log takes.")
    session_log: Path | None = Field(
        None, description="Write each connection to the command server to this file, below `state`, when it is over."
    )


class SharedConfig(_Table):
    """``[shared]``: a cache that several labs share."""

    url: RedisURL = Field(repr=False, description="The Redis server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE].")
    prefix: Printable = Field("labnet:", max_length=64, description="What every key there starts with.")
    timeout: float = Field(
        0.05, gt=0, le=0.05, description="Seconds that the server may delay an answer; then the lab goes on alone."
    )
    lock: Seconds = Field(5.0, description="Seconds that one lab asks the parents for a name while the others wait.")


class FaultConfig(_Table):
    """``[[fault]]``: something that goes wrong on purpose, from the start on."""

    kind: str = Field(description="What goes wrong; `labnet fault kinds` lists them.")
    where: str | None = Field(None, description="The resolver, or `command`; default: the first.")
    side: Literal["client", "parent", "session"] | None = Field(None, description="Of the resolver; default: client.")
    direction: Literal["in", "out"] | None = Field(None, description="What comes to the lab, or what leaves it.")
    client: str | None = Field(None, description="For clients in this network alone.")
    name: str | None = Field(None, description="About this name alone; `.example.org` is all below it.")
    nth: int | None = Field(None, ge=1, description="The one of this number that fits, and no other.")
    every: int | None = Field(None, ge=1, description="Each of so many that fit.")
    share: float | None = Field(None, ge=0, le=1, description="A share of all that fit, drawn by `seed`.")
    seed: int = Field(0, ge=0, description="The seed of what is drawn.")
    amount: int | None = Field(None, ge=0, le=60_000, description="Milliseconds, for kinds that take some.")
    seconds: float = Field(600.0, ge=1, le=86_400, description="When it ends by itself, after the start.")

    def given(self) -> dict[str, Any]:
        """The order, as the switchboard takes it."""
        return {key: value for key, value in self.model_dump().items() if value is not None}

    def problems(self, resolvers: list[str]) -> list[str]:
        """What is wrong with the order in a lab of these ``resolvers``."""
        from labnet.faults.model import OrderError, order_of  # few labs have any

        try:
            order_of(self.given(), resolvers, 0.0)
        except OrderError as error:
            return error.problems
        return []


class Config(_Table):
    """The whole lab, as the composition root takes it."""

    lab: LabConfig = Field(default_factory=lambda: LabConfig.model_validate({}))
    command: CommandConfig | None = None
    resolver: Mapping[str, ResolverConfig] = Field(default_factory=dict)
    key: Mapping[Domain, KeyConfig] = Field(default_factory=dict)
    capture: CaptureConfig = Field(default_factory=lambda: CaptureConfig(file=None))
    console: ConsoleConfig = Field(default_factory=lambda: ConsoleConfig.model_validate({}))
    shared: SharedConfig | None = None
    fault: Many[FaultConfig] = ()


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
        table = tomllib.loads(read_regular(path, largest=LARGEST).decode())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError([f"{path}: is no TOML: {error}"]) from None
    return build(table, os.path.dirname(path), rundir, lambda key: f"{path}: {key}")


def build(table: dict[str, Any], base: str, rundir: str, where: Any = lambda key: key) -> Config:
    """The configuration in ``table``, its records relative to ``base`` and its state to ``rundir``.

    ``where`` words the place of an error from its dotted key. Raises :class:`ConfigError`.
    """
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        readable = [_absolute(resolver, base, base) for resolver in _readable(table)]
        raise ConfigError([f"{where(key)}: {says}" for key, says in _problems(error)], readable) from None
    if config.shared is not None and find_spec("txredisapi") is None:
        raise ConfigError([f"{where('shared')}: needs txredisapi, which is not there: {hint('shared')}"])
    for name, resolver in config.resolver.items():
        if resolver.dnssec != "off" and find_spec("cryptography") is None:
            says = f"needs cryptography, which is not there: {hint('dnssec')}"
            raise ConfigError([f"{where(f'resolver.{name}.dnssec')}: {says}"])
    if config.command is None and not config.resolver:
        raise ConfigError([f"{where('command')}: there is nothing to run: add a [command] or a [resolver.NAME] table"])
    if find_spec("OpenSSL") is None:
        encrypted = [name for name, resolver in config.resolver.items() if _is_encrypted(resolver)]
        if encrypted:
            needed = f"needs pyopenssl, which is not there: {hint('tls')}"
            raise ConfigError([f"{where(f'resolver.{encrypted[0]}')}: encrypted DNS {needed}"])
    for name in config.console.page_viewers:
        if name not in config.resolver:
            says = f"there is no such resolver; there are {', '.join(config.resolver) or 'none'}"
            raise ConfigError([f"{where(f'console.page_viewers.{name}')}: {says}"])
    wrong_orders = [
        f"{where(f'fault.{number}')}: {problem}"
        for number, fault in enumerate(config.fault)
        for problem in fault.problems(list(config.resolver))
    ]
    if wrong_orders:
        raise ConfigError(wrong_orders)
    state = os.path.abspath(os.path.join(rundir, config.lab.state))
    keys, wrong_keys = with_secrets(config.key, base)
    wrong_keys += [problem for name, one in config.resolver.items() for problem in key_problems(name, one, config.key)]
    if wrong_keys:
        raise ConfigError([f"{where(key)}: {says}" for key, says in wrong_keys])
    resolvers = {
        name: _absolute(resolver, base, state).placed(secondary_folder(state, name), keys)
        for name, resolver in config.resolver.items()
    }

    def below_state(table: _Table, *keys: str) -> _Table:
        given = {key: getattr(table, key) for key in keys}
        return table.model_copy(
            update={key: os.path.join(state, path) for key, path in given.items() if path is not None}
        )

    command = config.command
    if command is not None and command.dialect is not None and is_path(command.dialect):
        command = command.model_copy(update={"dialect": os.path.abspath(os.path.join(base, command.dialect))})
    problems = list(_dialect_problems(command, resolvers))
    if problems:
        raise ConfigError([f"{where(key)}: {says}" for key, says in problems], list(resolvers.values()))
    return config.model_copy(
        update={
            "command": command,
            "lab": config.lab.model_copy(update={"state": state}),
            "resolver": resolvers,
            "key": keys,
            "capture": below_state(config.capture, "file"),
            "console": below_state(config.console, "control", "log", "query_log", "session_log"),
        }
    )


def secondary_folder(state: str, resolver: str) -> str:
    """Where the zones that ``resolver`` has from other servers are kept, in the folder ``state``."""
    return os.path.join(state, "secondary", quote(resolver, safe=""))


def _dialect_problems(
    command: CommandConfig | None, resolvers: Mapping[str, ResolverConfig]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the dialects, each by its key."""
    named = [(f"resolver.{name}.dialect", each.dialect, "names") for name, each in resolvers.items()]
    if command is not None and command.dialect is not None:
        named.append(("command.dialect", command.dialect, "commands"))
    for key, dialect, kind in named:
        try:
            found = find_dialect(dialect)
        except DialectError as error:
            yield from ((key, problem) for problem in error.problems)
        else:
            if found.kind != kind:
                yield key, f"{dialect!r} is a dialect of {found.kind}, not of {kind}"


def _absolute(resolver: ResolverConfig, base: str, state: str) -> ResolverConfig:
    def path(folder: str, file: str) -> str:
        return os.path.abspath(os.path.join(folder, file))

    records = tuple(file.model_copy(update={"path": path(base, file.path)}) for file in resolver.records)
    learned = None if resolver.learned is None else path(state, resolver.learned)
    hints = None if resolver.hints is None else path(base, resolver.hints)
    anchors = None if resolver.trust_anchors is None else path(base, resolver.trust_anchors)
    dialect = path(base, resolver.dialect) if is_path(resolver.dialect) else resolver.dialect
    ca = None if resolver.ca is None else path(base, resolver.ca)
    listen = tuple(one.below(base) if isinstance(one, TLSListen) else one for one in resolver.listen)
    block = {
        name: table if table.file is None else table.model_copy(update={"file": path(base, table.file)})
        for name, table in resolver.block.items()
    }
    files = {"records": records, "learned": learned, "hints": hints, "ca": ca, "dialect": dialect, "block": block}
    files["trust_anchors"] = anchors
    return resolver.model_copy(update={"listen": listen, **files})


def _is_encrypted(resolver: ResolverConfig) -> bool:
    parents = [*resolver.parents, *(parent for several in resolver.forward.values() for parent in several)]
    is_listening = any(isinstance(listen, TLSListen) for listen in resolver.listen)
    return is_listening or resolver.ca is not None or any(parent.is_encrypted for parent in parents)


def _readable(table: dict[str, Any]) -> Iterator[ResolverConfig]:
    """What names files in the resolvers of a ``table`` that is wrong elsewhere."""
    resolvers = table.get("resolver")
    for resolver in resolvers.values() if isinstance(resolvers, dict) else ():
        if isinstance(resolver, dict):
            with contextlib.suppress(ValidationError):
                yield ResolverConfig.model_validate({"listen": "udp:0", "records": resolver.get("records", [])})


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
            expected = problem["msg"].removeprefix("Input should be ")
            expected = expected.replace("a valid integer", "an integer").replace("valid ", "")
            yield key, f"must be {'a table' if 'dictionary' in expected else expected}, not {given!r}"
        else:
            yield key, f"{problem['msg'].replace('Input s', 'S')}, not {given!r}".replace("Should be", "must be")


def _keys(path: Sequence[str]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "lab": LabConfig,
        "command": CommandConfig,
        "resolver": ResolverConfig,
        "key": KeyConfig,
        "capture": CaptureConfig,
        "console": ConsoleConfig,
        "shared": SharedConfig,
    }
    table = Config if len(path) == 1 else tables.get(path[0], Config)
    if table is ResolverConfig and path[2:3] == ["block"] and len(path) > 4:
        table = BlockTable
    return list(table.model_fields)
