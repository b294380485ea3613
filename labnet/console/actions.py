"""What may be asked of a running lab by its control socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Interface

from labnet.console.control import Action, ControlError

ORDERS: Final = ("lookup", "add", "remove", "requests", "flush-negative")
"""What the resolvers are asked, each with its fields in the request; ``resolver`` names one, by default the first."""


class IControlled(Interface):
    """What a control socket speaks for: a lab, or the supervisor of several."""

    def status() -> Any:
        """How it is, for JSON, or a Deferred of that."""

    def samples() -> Any:
        """What was counted (:class:`labnet.metrics.Sample`), or a Deferred of that."""

    def reload() -> Deferred[list[str]]:
        """Read the configuration and the records anew; fires with what is wrong, where nothing was changed."""

    def flush(name: str) -> Any:
        """Forget what was learned of ``name`` and every name below it; how many answers, or a Deferred of that."""

    def open_command_server() -> Any:
        """Have the command server listen again after an EXIT; what hinders that, each in a sentence, or a Deferred."""

    def view(what: str, arguments: Mapping[str, Any]) -> Any:
        """What is to be seen of ``what``, for JSON, or a Deferred of that. Raises LookupError with a sentence."""

    def operate(do: str, request: dict[str, Any]) -> Any:
        """An order to the resolvers, one of :data:`ORDERS`; what comes of it, an iterator, or a Deferred."""

    def transfer(name: str | None) -> Any:
        """Have the primaries of a zone, or of all, asked now; what came of each, a Deferred. Raises ValueError."""

    def log_level(level: str | None) -> str:
        """Have the log tell what is of this level and above, None for no change; the level. Raises ValueError."""

    def stop() -> None:
        """Begin to stop, as by SIGTERM."""

    def dump(resolver: str | None) -> Iterator[str]:
        """What is learned, a line each. Raises ValueError where there is no such resolver."""


def actions_of(lab: IControlled) -> dict[str, Action]:
    """What may be asked of ``lab``."""

    def text(request: dict[str, Any], key: str) -> str:
        if not isinstance(request.get(key), str):
            raise ControlError(f"the request has no {key}")
        return str(request[key])

    def dump(request: dict[str, Any]) -> Iterator[str]:
        try:
            return iter(lab.dump(request.get("resolver")))
        except ValueError as error:
            raise ControlError(str(error)) from None

    def view(request: dict[str, Any]) -> Any:
        what = text(request, "what")
        try:
            return lab.view(what, request)
        except LookupError as error:
            raise ControlError(str(error.args[0])) from None

    def log_level(request: dict[str, Any]) -> str:
        try:
            return lab.log_level(None if request.get("level") is None else text(request, "level"))
        except ValueError as error:
            raise ControlError(str(error)) from None

    def transfer(request: dict[str, Any]) -> Any:
        try:
            return lab.transfer(None if request.get("name") is None else text(request, "name"))
        except ValueError as error:
            raise ControlError(str(error)) from None

    def order(do: str) -> Action:
        return lambda request: lab.operate(do, request)

    return {do: order(do) for do in ORDERS} | {
        "log-level": log_level,
        "transfer": transfer,
        "status": lambda request: lab.status(),
        "samples": lambda request: maybeDeferred(lab.samples).addCallback(list),
        "reload": lambda request: lab.reload(),
        "flush": lambda request: lab.flush(text(request, "name")),
        "dump": dump,
        "open-command-server": lambda request: lab.open_command_server(),
        "view": view,
        "stop": lambda request: lab.stop(),
    }
