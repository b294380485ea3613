"""Which running lab a command asks, by --config and --socket, and how what goes wrong then is said."""

from __future__ import annotations

import functools
import os
import sys
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.console.asking import Control

_SYSTEMD: Final = "/var/lib/labnet/control.sock"
"""Where the lab of etc/labnet.service has it: only systemd tells that lab its state folder."""


class Where(NamedTuple):
    """The lab of the configuration ``config``, by default that of ``twistd labnet``, or with the control ``socket``."""

    config: str | None = None
    socket: str | None = None


def on_running_lab(run: Callable[..., int]) -> Callable[..., int]:
    """A command that asks a running lab: with the options that say which, handed to ``run`` as its first argument.

    What goes wrong is a sentence and status 2.
    """

    @click.option(
        "--config",
        type=click.Path(readable=False),
        metavar="FILE",
        help="The configuration that the lab runs [twistd labnet's].",
    )
    @click.option(
        "--socket", type=click.Path(readable=False), metavar="PATH", help="Its control socket [the configuration's]."
    )
    @functools.wraps(run)
    def guarded(*, config: str | None, socket: str | None, **given: Any) -> int:
        from labnet.console.control import ControlError

        try:
            status = run(Where(config, socket), **given)
            sys.stdout.flush()
        except ControlError as error:
            print(f"labnet: {quoted(str(error))}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python's own flush at exit would complain
            return 0
        return status

    return guarded


def control_of(where: Where, timeout: float = 10.0) -> Control:
    """An open connection to that lab, with ``timeout`` seconds for an answer. Raises ControlError."""
    from labnet.console import asking

    return asking.Control(where.socket or _socket_of(where.config), timeout)


class Looking:
    """A connection to the lab ``where`` for many looks: it is opened anew where the lab has gone and come again.

    It begins with the open connection ``control``, and closes what it leaves.
    """

    def __init__(self, where: Where, control: Control) -> None:
        self._where = where
        self._control: Control | None = control

    def ask(self, do: str) -> Any:
        """The result of the action ``do``. Raises ControlError."""
        from labnet.console.control import ControlError

        if self._control is None:
            self._control = control_of(self._where)
        try:
            return self._control.ask(do)
        except ControlError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _socket_of(named: str | None) -> str:
    """The control socket of the lab that ``twistd labnet`` would run here, even where its configuration is wrong."""
    from labnet.config import reading
    from labnet.console.control import ControlError

    path = reading.find(named)
    state = None
    control: Any = None
    if path is not None:
        try:
            with open(path, "rb") as file:
                table = tomllib.load(file)
            state, control = table.get("lab", {}).get("state"), table.get("console", {}).get("control")
        except OSError as error:
            raise ControlError(f"{path}: cannot be read: {error.strerror}; --socket names the socket itself") from None
        except (ValueError, AttributeError, RecursionError):
            pass  # a lab may run all the same, with what the file said before
    defaults = reading.Config()
    named_state = state if isinstance(state, str) else defaults.lab.state
    named_control = control if isinstance(control, str) else str(defaults.console.control)
    found = os.path.abspath(os.path.join(named_state, named_control))
    if state is None and control is None and not os.path.lexists(found) and os.path.lexists(_SYSTEMD):
        return _SYSTEMD
    return found
