"""The tables of the configuration but those of resolvers.

The field descriptions are the documentation of each key; docs/configuration.rst shows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from labnet.values.addresses import LOOPBACK, Endpoint, Network, NetworkOrUser
from labnet.values.model import Model, field
from labnet.values.texts import DialectName, Many, Path, Printable, RedisURL, Seconds


class LabConfig(Model):
    """``[lab]``: what all services share."""

    state: Path = field(
        default_factory=lambda: os.environ.get("STATE_DIRECTORY", "var").partition(":")[0],
        description="The folder for what is learned, relative to the folder labnet is started in.",
    )
    workers: int = field(1, ge=1, le=64, description="Processes that serve the resolvers' ports together.")
    freebind: bool = field(
        True, description="Listen on addresses that no interface has yet, with a warning; false: that is an error."
    )
    watch: bool = field(False, description="Reload when the configuration or a records file has changed.")
    grace: Seconds = field(5.0, description="Seconds that a stop waits for answers in flight and for unread replies.")


class CommandConfig(Model):
    """``[command]``: the TCP command server."""

    listen: Many[Endpoint] = field(
        ("tcp:8080:interface=127.0.0.1",), min_length=1, description="Twisted endpoint strings to listen on."
    )
    clients: int = field(1, ge=0, description="Clients served at a time, the others wait; 0: no limit.")
    timeout: Seconds = field(15.0, description="Seconds without a command until a connection is closed.")
    turn: Seconds = field(600.0, description="Seconds that a session may last in all while others wait for its place.")
    replies: Literal["handout", "transcript"] = field(
        "handout", description="The assignment's words, or the published solution's."
    )
    dialect: DialectName | None = field(
        None,
        description="Another course's commands and words: bare, jam, prefixed, echo, … (labnet dialect list), or the "
        "path of a dialect file, relative to this file; default: what replies says.",
    )
    exit_from: Many[NetworkOrUser] = field(
        LOOPBACK,
        description="Networks, and users of this machine (user:NAME), whose EXIT closes every socket; from others it "
        "closes that connection alone.",
    )
    allow: Many[Network] = field(LOOPBACK, description="Networks that are served; other connections are closed.")
    deny: Many[Network] = field((), description="Networks that are not served, even inside one that is allowed.")
    sessions: int = field(20_000, ge=1, description="Connections at a time in all, waiting ones too; more are closed.")
    sessions_per_address: int = field(100, ge=0, description="Connections of one address at a time; 0: no limit.")
    connect_rate: float = field(
        0, ge=0, le=1e9, description="New connections a second from one client network (/24, /56); 0: no limit."
    )


class CaptureConfig(Model):
    """``[capture]``: the lab's own traffic."""

    file: Path | None = field(
        None, description="Write what the lab sends and receives to this pcapng file, below `state`; default: none."
    )


class ConsoleConfig(Model):
    """``[console]``: how the lab is looked at and told what to do."""

    listen: Many[Endpoint] = field(
        (), description="Twisted endpoint strings for /metrics, /health and /ready by HTTP; default: none."
    )
    control: Path | None = field(
        "control.sock", description="The UNIX socket, below `state`, that labnet status, reload and the others use."
    )
    log: Path | None = field(None, description="Write the log to this file as well, below `state`, as JSON lines.")
    page: Many[Endpoint] = field(
        (), description="Twisted endpoint strings for the live page; a port that is taken is replaced by a free one."
    )
    page_token: Printable = field(
        "",
        max_length=128,
        repr=False,
        description="What the operator shows to see the page; default: nothing on loopback, elsewhere one that is made "
        "at the start and logged.",
    )
    page_viewers: Mapping[str, Printable] = field(
        default_factory=dict,
        repr=False,
        description="Tokens of those who see one resolver alone: a table, resolver = token.",
    )
    page_hosts: Many[str] = field(
        (), description="Host names that the page is reached by; its addresses and localhost need none."
    )
    query_log: Path | None = field(None, description="Write questions and their answers to this file, below `state`.")
    query_sample: float = field(1.0, gt=0, le=1, description="The share of the questions that the query log takes.")
    session_log: Path | None = field(
        None, description="Write each connection to the command server to this file, below `state`, when it is over."
    )


class SharedConfig(Model):
    """``[shared]``: a cache that several labs share."""

    url: RedisURL = field(repr=False, description="The Redis server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE].")
    prefix: Printable = field("labnet:", max_length=64, description="What every key there starts with.")
    timeout: float = field(
        0.05, gt=0, le=0.05, description="Seconds that the server may delay an answer; then the lab goes on alone."
    )
    lock: Seconds = field(5.0, description="Seconds that one lab asks the parents for a name while the others wait.")


class FaultConfig(Model):
    """``[[fault]]``: something that goes wrong on purpose, from the start on."""

    kind: str = field(description="What goes wrong; `labnet fault kinds` lists them.")
    where: str | None = field(None, description="The resolver, or `command`; default: the first.")
    side: Literal["client", "parent", "session"] | None = field(None, description="Of the resolver; default: client.")
    direction: Literal["in", "out"] | None = field(None, description="What comes to the lab, or what leaves it.")
    client: str | None = field(None, description="For clients in this network alone.")
    name: str | None = field(None, description="About this name alone; `.example.org` is all below it.")
    nth: int | None = field(None, ge=1, description="The one of this number that fits, and no other.")
    every: int | None = field(None, ge=1, description="Each of so many that fit.")
    share: float | None = field(None, ge=0, le=1, description="A share of all that fit, drawn by `seed`.")
    seed: int = field(0, ge=0, description="The seed of what is drawn.")
    amount: int | None = field(None, ge=0, le=60_000, description="Milliseconds, for kinds that take some.")
    seconds: float = field(600.0, ge=1, le=86_400, description="When it ends by itself, after the start.")

    def given(self) -> dict[str, Any]:
        """The order, as the switchboard takes it."""
        return {key: value for key, value in vars(self).items() if value is not None and key in self.model_fields}

    def problems(self, resolvers: list[str]) -> list[str]:
        """What is wrong with the order in a lab of these ``resolvers``."""
        from labnet.faults.model import OrderError, order_of  # few labs have any

        try:
            order_of(self.given(), resolvers, 0.0)
        except OrderError as error:
            return error.problems
        return []
