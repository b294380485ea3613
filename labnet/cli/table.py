"""The commands of ``labnet``: where each is, and what ``labnet --help`` says of it without importing it."""

from __future__ import annotations

from typing import Final, NamedTuple


class CommandEntry(NamedTuple):
    """A command: ``MODULE:NAME`` of its click object, the heading that it stands under, and its help in a few words."""

    at: str
    heading: str
    help: str


ASK: Final = "Ask a server"
SERVE: Final = "Serve"
LOOK: Final = "Look at a running lab, and tell it what to do"
SHELL: Final = "In a shell"
PACKETS: Final = "Packets and exercises"
GRADE: Final = "Is a program right?"

COMMANDS: Final = {
    "run": CommandEntry("labnet.daemon.cli:run", SERVE, "run the lab in this terminal"),
    "stop": CommandEntry("labnet.console.cli:stop", SERVE, "stop the lab that runs here"),
    "sign": CommandEntry("labnet.signing.cli:sign", SERVE, "sign zone files"),
    "init": CommandEntry("labnet.daemon.cli:init", SERVE, "write a configuration to begin with"),
    "check": CommandEntry("labnet.daemon.cli:check", SERVE, "check a configuration and its records"),
    "cert": CommandEntry("labnet.authority.cli:cert", SERVE, "make certificates for encrypted DNS"),
    "resolve": CommandEntry("labnet.clients.cli:resolve", ASK, "ask a resolver for names"),
    "command": CommandEntry("labnet.clients.cli:command", ASK, "talk to a command server"),
    "dialect": CommandEntry("labnet.clients.dialect_cli:dialect", ASK, "show and check how courses word the protocols"),
    "status": CommandEntry("labnet.console.cli:status", LOOK, "show how a running lab is"),
    "watch": CommandEntry("labnet.console.watch_cli:watch", LOOK, "draw what happens in it, live"),
    "reload": CommandEntry("labnet.console.cli:reload", LOOK, "have it read its configuration anew"),
    "lookup": CommandEntry("labnet.console.orders_cli:lookup", LOOK, "tell why it would answer what"),
    "add": CommandEntry("labnet.console.orders_cli:add", LOOK, "have it serve one more record"),
    "remove": CommandEntry("labnet.console.orders_cli:remove", LOOK, "have it serve a record no longer"),
    "requests": CommandEntry("labnet.console.orders_cli:requests", LOOK, "show what it is asking its parents"),
    "transfer": CommandEntry("labnet.console.orders_cli:transfer", LOOK, "have it ask for zones of other servers now"),
    "stats": CommandEntry("labnet.console.orders_cli:stats", LOOK, "print what it counted"),
    "log-level": CommandEntry("labnet.console.orders_cli:log_level", LOOK, "show or set how much it logs"),
    "flush": CommandEntry("labnet.console.cli:flush", LOOK, "have it forget what it learned"),
    "cache": CommandEntry("labnet.console.cli:cache", LOOK, "look into what it learned"),
    "command-server": CommandEntry("labnet.console.cli:command_server", LOOK, "open its command server again"),
    "fault": CommandEntry("labnet.console.fault_cli:fault", LOOK, "have something go wrong in it, on purpose"),
    "capture": CommandEntry("labnet.capture.cli:capture", PACKETS, "capture packets into a file"),
    "explain": CommandEntry("labnet.capture.cli:explain", PACKETS, "tell what is in a capture"),
    "exercise": CommandEntry("labnet.capture.cli:exercise", PACKETS, "answer an exercise from a capture"),
    "grade": CommandEntry("labnet.grade.cli:grade", GRADE, "say what of an assignment a program meets"),
    "completion": CommandEntry("labnet.cli.completion:completion", SHELL, "print what a shell needs to complete it"),
}
"""In the order of ``labnet --help``; commands of one heading stand together."""
