"""The commands of ``labnet``: where each is, and what ``labnet --help`` says of it without importing it."""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
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
    "run": Entry("labnet.daemon.cli:run", SERVE, "run the lab in this terminal"),
    "stop": Entry("labnet.console.cli:stop", SERVE, "stop the lab that runs here"),
    "init": Entry("labnet.daemon.cli:init", SERVE, "write a configuration to begin with"),
    "check": Entry("labnet.daemon.cli:check", SERVE, "check a configuration and its records"),
    "resolve": Entry("labnet.clients.cli:resolve", ASK, "ask a resolver for names"),
    "command": Entry("labnet.clients.cli:command", ASK, "talk to a command server"),
    "dialect": Entry("labnet.clients.dialect_cli:dialect", ASK, "show and check how courses word the protocols"),
    "status": Entry("labnet.console.cli:status", LOOK, "show how a running lab is"),
    "watch": Entry("labnet.console.watch_cli:watch", LOOK, "draw what happens in it, live"),
    "reload": Entry("labnet.console.cli:reload", LOOK, "have it read its configuration anew"),
    "lookup": Entry("labnet.console.orders_cli:lookup", LOOK, "tell why it would answer what"),
    "add": Entry("labnet.console.orders_cli:add", LOOK, "have it serve one more record"),
    "remove": Entry("labnet.console.orders_cli:remove", LOOK, "have it serve a record no longer"),
    "requests": Entry("labnet.console.orders_cli:requests", LOOK, "show what it is asking its parents"),
    "stats": Entry("labnet.console.orders_cli:stats", LOOK, "print what it counted"),
    "log-level": Entry("labnet.console.orders_cli:log_level", LOOK, "show or set how much it logs"),
    "flush": Entry("labnet.console.cli:flush", LOOK, "have it forget what it learned"),
    "cache": Entry("labnet.console.cli:cache", LOOK, "look into what it learned"),
    "command-server": Entry("labnet.console.cli:command_server", LOOK, "open its command server again"),
    "fault": Entry("labnet.console.fault_cli:fault", LOOK, "have something go wrong in it, on purpose"),
    "capture": Entry("labnet.capture.cli:capture", PACKETS, "capture packets into a file"),
    "explain": Entry("labnet.capture.cli:explain", PACKETS, "tell what is in a capture"),
    "exercise": Entry("labnet.capture.cli:exercise", PACKETS, "answer an exercise from a capture"),
    "grade": Entry("labnet.grade.cli:grade", GRADE, "say what of an assignment a program meets"),
    "completion": Entry("labnet.cli.completion:completion", SHELL, "print what a shell needs to complete all this"),
}
"""In the order of ``labnet --help``; commands of one heading stand together."""
