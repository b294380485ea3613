"""The command lines of the three twistd plugins."""

from __future__ import annotations

import atexit
import ipaddress
import os
import time
from typing import Any, Final, NoReturn, cast

from twisted.application.service import IService
from twisted.python import usage

from labnet.config import reading
from labnet.config.reading import Config, ConfigError
from labnet.daemon.base import Environment
from labnet.daemon.garbage import spare_program
from labnet.daemon.running.reload import load_lab
from labnet.daemon.service import LabService
from labnet.daemon.started import Started, owner_of_daemon
from labnet.dialects.arguments import read_arguments
from labnet.dialects.library import find as find_dialect
from labnet.dialects.reader import DialectError
from labnet.interfaces import IReactor
from labnet.net.clocks import count_steadily
from labnet.net.opening.listening import listening_reactor
from labnet.net.opening.systemd import Inherited, Notifier
from labnet.resolver.loading.loaded import Loaded
from labnet.values.endpoints import tcp_address

_ALONE: Final[dict[str, Any]] = {"console": {"control": None}}
"""What a server without a configuration file has: no state of its own, so no socket to be controlled by."""

LOOPBACK: Final = "127.0.0.0/8,::1/128"


class _Options(usage.Options):
    """Options that end in a checked configuration with its records read: all errors come before anything runs."""

    optFlags: list[list[str | None]] = [
        ["quiet", "q", "No line in the log for each request; without -n there is none anyway."]
    ]

    config: Config
    loaded: dict[str, Loaded]
    path: str | None = None
    """The configuration file, absolute, where there is one."""
    rundir: str
    """The folder that the process will run in, absolute."""
    folder: str
    """The folder that all relative paths are meant from: a daemon leaves it, and a reload comes later."""

    def postOptions(self) -> None:
        self.folder = os.getcwd()
        # twistd goes to a folder of its choosing; twist has no such option, and stays.
        parent: Any = self.parent or {}
        self.rundir = os.path.abspath(str(parent.get("rundir", ".")))
        try:
            self.config, self.loaded = load_lab(self.build, time.time())
        except ConfigError as error:
            _fail(error)

    def started(self, reactor: IReactor) -> Started:
        """How this process was started."""
        twistd: Any = self.parent or {}
        log = twistd.get("logfile") or ("" if twistd.get("nodaemon", True) else "twistd.log")
        files = (os.path.join(self.folder, log),) if log not in ("", "-") and not twistd.get("syslog") else ()
        return Started(Inherited.of_process(), Notifier(reactor), owner_of_daemon(twistd), files)

    @property
    def shows_requests(self) -> bool:
        """Whether somebody sits before the log, and wants to see what is asked."""
        twistd: Any = self.parent or {}
        return bool(twistd.get("nodaemon", True)) and not self["quiet"]

    def build(self) -> Config:
        """The configuration that the options ask for, as it is now.

        Raises :class:`~labnet.config.reading.ConfigError`.
        """
        raise NotImplementedError


def _fail(error: ConfigError) -> NoReturn:
    raise SystemExit("\n".join(f"labnet: {problem}" for problem in dict.fromkeys(error.problems)))


def _make(options: _Options, reactor: IReactor | None = None) -> IService:
    if reactor is None:
        from twisted.internet import reactor as default

        reactor = cast(IReactor, default)
        count_steadily(reactor)
        spare_program()
    started = options.started(reactor)
    if options.config.lab.workers > 1 and options.config.resolver:
        return supervisor(options, reactor, started)
    listening = listening_reactor(reactor, started.inherited, freebind=options.config.lab.freebind)
    environment = Environment(started=started, requests=options.shows_requests)
    made = LabService(options.config, options.loaded, listening, options.build, options.path, environment)
    return cast(IService, made)


def supervisor(options: _Options, reactor: IReactor, started: Started) -> IService:
    """Who runs the lab of ``options`` in several processes; where none of them can start, this one ends with 1."""

    def failed() -> None:
        # twistd has no way to end with another status than 0 once the reactor has run; this is after all else.
        atexit.register(os._exit, 1)

    from labnet.daemon.workers.service import SupervisorService  # a lab in one process has no use for it

    config, loaded, read, path = options.config, options.loaded, options.build, options.path
    environment = Environment(started=started, failed=failed, requests=options.shows_requests)
    return cast(IService, SupervisorService(config, loaded, reactor, read, path, environment))


class LabOptions(_Options):
    """twistd labnet: the whole lab of a configuration file."""

    synopsis = "[--config FILE]"
    optParameters = [
        ["config", "c", None, "Configuration file [default: $LABNET_CONFIG, etc/labnet.toml, /etc/labnet/labnet.toml]."]
    ]
    longdesc = "Runs the command server and the resolvers of a configuration file; without one, the built-in lab."

    def postOptions(self) -> None:
        self.path = reading.find(self["config"])
        super().postOptions()

    def build(self) -> Config:
        return reading.load(self.path, self.rundir)


class CommandOptions(_Options):
    """twistd labnet-command: the command server alone."""

    synopsis = "[options]"
    optParameters = [
        ["listen", "l", "tcp:8080:interface=127.0.0.1", "Twisted endpoint string to listen on."],
        ["dialect", "d", None, "Another course's words: bare, jam, prefixed, echo, … or a file [default: --replies]."],
        ["clients", "n", None, "Clients served at a time, the others wait; 0: no limit [default: the dialect's: 1]."],
        ["timeout", "t", None, "Seconds without a command until it closes a connection [default: the dialect's: 15]."],
        ["replies", "r", "handout", "handout (the assignment's words) or transcript (the published solution's)."],
        ["exit-from", "e", LOOPBACK, "Networks and users (user:NAME) whose EXIT closes every socket, by commas."],
        ["allow", "a", None, "Networks that are served [default: loopback; everyone where --listen is not]."],
    ]
    longdesc = "A TCP server that greets with the client's address and answers TIME and EXIT."

    def build(self) -> Config:
        table = {
            "listen": self["listen"],
            "replies": self["replies"],
            "exit_from": _networks(self["exit-from"]),
            "allow": _networks(self["allow"] if self["allow"] is not None else _served_on(self["listen"])),
        }
        if self["clients"] is not None:
            table["clients"] = _number(self["clients"], int)
        if self["timeout"] is not None:
            table["timeout"] = _number(self["timeout"], float)
        if self["dialect"] is not None:
            table["dialect"] = self["dialect"]
        return reading.build({"command": table, **_ALONE}, self.folder, self.rundir, _option)


class ResolverOptions(_Options):
    """twistd labnet-resolver: the assignment's ``server.py MYPORT PARENT_IP PARENT_PORT RECORDS_FILE``."""

    synopsis = "[options] PORT PARENT_IP PARENT_PORT RECORDS_FILE, or what the course of the dialect has"
    optParameters = [
        ["interface", "i", "127.0.0.1", "Address to listen on."],
        ["learned", "l", None, "File that keeps what is learned [default: RECORDS_FILE itself, or none; by dialect]."],
        ["dialect", "d", "json", "json (the transcript's replies), line (name,address,ttl), zone, … or a file."],
        ["unknown", "u", None, "The reply for an unknown name, {name}; '' is an empty one [default: the dialect's]."],
        ["parent-timeout", "t", "2", "Seconds that the parent has for each try."],
        ["parent-tries", "n", "2", "Tries with the parent."],
        ["allow", "a", None, "Networks that are served [default: loopback; everyone where --interface is not]."],
    ]
    optFlags = [["newline", None, "End each reply with a newline, but for dialect json."]]
    longdesc = (
        "A resolver with a records file and a parent; -1 -1 for no parent. The arguments are those of the programs of "
        "the dialect's course: labnet dialect list."
    )

    def parseArgs(self, *arguments: str) -> None:
        unknown = ""
        try:
            dialect = find_dialect(self["dialect"])
        except DialectError as error:
            # The check of the configuration says so, with all else that is wrong, if the arguments can be read.
            dialect, unknown = find_dialect("json"), "; ".join(error.problems)
        try:
            self.arguments = read_arguments(dialect, arguments)
        except ValueError as error:
            raise usage.UsageError(unknown or str(error)) from None
        self.is_kept = dialect.keeps

    def build(self) -> Config:
        interface = self["interface"].replace(":", "\\:")
        said = self.arguments
        learned = self["learned"] or (said.records if self.is_kept else None)
        table = {
            "listen": f"udp:{said.port}:interface={interface}",
            "records": [said.records] if said.records else [],
            "parents": [f"text:{host}:{port}" for host, port in said.parents],
            "dialect": self["dialect"],
            "newline": bool(self["newline"]),
            "parent_timeout": _number(self["parent-timeout"], float),
            "parent_tries": _number(self["parent-tries"], int),
            "allow": _networks(
                self["allow"] if self["allow"] is not None else _served_on(f"tcp:0:interface={interface}")
            ),
        }
        if learned:
            table["learned"] = os.path.join(self.folder, learned)
        if self["unknown"] is not None:
            table["unknown"] = self["unknown"]
        if said.seconds is not None:
            table["default_ttl"] = table["course_ttl_max"] = _number(said.seconds, int)
        return reading.build({"resolver": {"resolver": table}, **_ALONE}, self.folder, self.rundir, _option)


def _networks(text: str) -> list[str]:
    return [network.strip() for network in text.split(",") if network.strip()]


def _served_on(listen: str) -> str:
    """The networks served by default: loopback, and every one where it listens elsewhere than on loopback."""
    if listen.startswith("unix:"):
        return LOOPBACK
    try:
        interface, _ = tcp_address(listen)
        is_loopback = ipaddress.ip_address(interface.partition("%")[0]).is_loopback
    except Exception:  # the check of the configuration says what is no endpoint
        is_loopback = ":interface=localhost" in listen
    return LOOPBACK if is_loopback else "0.0.0.0/0,::/0"


def _number(text: str, kind: type[int] | type[float]) -> Any:
    """The number in ``text``, or ``text`` itself for the configuration's check to name."""
    try:
        return kind(text)
    except ValueError:
        return text


def _option(key: str) -> str:
    """How an error names the option or argument behind the configuration's ``key``."""
    name = next(part for part in reversed(key.split(".")) if not part.isdigit())
    arguments = {
        "listen": "PORT or --interface",
        "parents": "PARENT_IP PARENT_PORT",
        "records": "RECORDS_FILE",
        "default_ttl": "X, the seconds that what is learned lives",
        "course_ttl_max": "X, the seconds that what is learned lives",
    }
    if key.startswith("resolver.") and name in arguments:
        return arguments[name]
    return f"--{name.replace('_', '-')}"


class Lab:
    """``twistd labnet``"""

    Options = LabOptions
    makeService = staticmethod(_make)


class Command:
    """``twistd labnet-command``"""

    Options = CommandOptions
    makeService = staticmethod(_make)


class OneResolver:
    """``twistd labnet-resolver``"""

    Options = ResolverOptions
    makeService = staticmethod(_make)
