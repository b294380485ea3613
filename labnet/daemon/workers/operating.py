"""Orders to the resolvers of a lab in several processes: each worker gets them, one that is started again too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from labnet.console.asking import ControlClient
from labnet.console.control import ControlError
from labnet.daemon.running.operating import SHARED
from labnet.daemon.workers.fleet import Fleet
from labnet.daemon.workers.journal import LearnedJournal

MOST_EDITS: Final = 20_000
"""Orders that change records and are remembered until the next reload."""


class Operating:
    """Gives orders to the workers of ``fleet``; ``journals`` are what they learned, by resolver."""

    def __init__(self, fleet: Fleet, journals: Mapping[str, LearnedJournal]) -> None:
        self._fleet = fleet
        self._journals = journals
        self._edits: list[tuple[str, dict[str, Any]]] = []
        fleet.greet = self._greet

    def forget(self) -> None:
        """The records are those of the files again."""
        self._edits.clear()

    def operate(self, do: str, request: dict[str, Any], is_shared: bool) -> Deferred[Any]:
        """As :func:`labnet.daemon.running.operating.operate`, in every worker."""
        return Deferred.fromCoroutine(self._operate(do, request, is_shared))

    async def _operate(self, do: str, request: dict[str, Any], is_shared: bool) -> Any:
        if do == "flush-negative" and is_shared:
            raise ControlError(SHARED)
        is_edit = do in ("add", "remove")
        if is_edit and len(self._edits) >= MOST_EDITS:
            raise ControlError(f"{MOST_EDITS} records were changed since the last reload: put them into a file")
        named = request.get("resolver")
        journals = [journal for name, journal in self._journals.items() if named in (None, name)]
        count = sum(journal.flush_negative() for journal in journals) if do == "flush-negative" else 0
        results = await self._fleet.ask(do, **request)
        done = {number: result for number, result in results.items() if not isinstance(result, Failure)}
        if not done:
            failed = [result.value for result in results.values() if isinstance(result, Failure)]
            raise failed[0] if failed and isinstance(failed[0], ControlError) else ControlError("no worker answers")
        if is_edit:
            self._edits.append((do, request))
        if do == "requests":
            return [{**one, "worker": number} for number, found in done.items() for one in found]
        if do == "flush-negative":
            return max([count, *done.values()])
        return next(iter(done.values()))

    def _greet(self, client: ControlClient) -> None:
        """``client`` leads to a worker that has just begun, with the records of the files."""
        for do, request in self._edits:
            client.ask(do, **request).addErrback(lambda _: None)
