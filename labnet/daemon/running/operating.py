"""Orders to the resolvers of a lab in one process, as the control socket gets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from labnet.console.control import ControlError
from labnet.resolver.operator import OperatorError
from labnet.resolver.service import ResolverService

SHARED: Final = "what labs share stays in Redis: flush a NAME, or --all"


def operate(resolvers: Mapping[str, ResolverService], do: str, request: Mapping[str, Any], is_shared: bool) -> Any:
    """Do what ``request`` says to the resolver that it names, or to the first one; what comes of it, for JSON.

    What is for every resolver is done by all where none is named. ``is_shared`` says that other labs have what they
    learned too. Raises :class:`~labnet.console.control.ControlError`.
    """
    named = _field(request, "resolver")
    if named is not None and named not in resolvers:
        raise ControlError(f"there is no resolver {named!r}: there are {', '.join(resolvers) or 'none'}")
    if not resolvers:
        raise ControlError("the lab has no resolver")
    chosen = resolvers if named is None else {named: resolvers[named]}
    if do == "requests":
        return _requests(chosen)
    if do == "flush-negative":
        if is_shared:
            raise ControlError(SHARED)
        return sum(resolver.flush_negative() for resolver in chosen.values())
    title, resolver = next(iter(chosen.items()))
    try:
        if do == "lookup":
            rrtype, client = _field(request, "type") or "A", _field(request, "client") or ""
            return resolver.operator.lookup(_text(request, "name"), rrtype, client)
        if do == "add":
            return {"resolver": title, "lines": resolver.operator.add(_text(request, "record"))}
        removed = resolver.operator.remove(
            _text(request, "name"), _field(request, "type"), _field(request, "data") or ""
        )
        return {"resolver": title, "count": removed}
    except OperatorError as error:
        raise ControlError(str(error)) from None


def _requests(resolvers: Mapping[str, ResolverService]) -> Iterator[dict[str, Any]]:
    for resolver in resolvers.values():
        yield from resolver.operator.requests()


def _field(request: Mapping[str, Any], key: str) -> str | None:
    value = request.get(key)
    if value is not None and not isinstance(value, str):
        raise ControlError(f"{key} is no text")
    return value


def _text(request: Mapping[str, Any], key: str) -> str:
    value = _field(request, key)
    if value is None:
        raise ControlError(f"the request has no {key}")
    return value
