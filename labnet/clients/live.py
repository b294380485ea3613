"""The command dialogue in a terminal: it listens to the server while a person types, and shows what it does at once."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import time
from collections.abc import Callable
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal

from labnet.clients.command import (
    CLOSES_WITHIN,
    LAST_PROMPT,
    PREFIX,
    PROMPT,
    TURN,
    CommandConnection,
    is_exit,
    shown,
)
from labnet.clients.errors import NoAnswer
from labnet.clients.prompting import session

_ASSIGNMENT: Final = 15
"""Seconds that a server of the assignment waits for a command."""


def converse(connection: CommandConnection) -> int:
    """The transcript's loop until EXIT, end of file, Ctrl-C, or until the server closes; the exit status."""
    prompts = session("command", lambda: ("TIME", "EXIT"))
    try:
        asyncio.run(_Dialogue(connection, prompts, time.monotonic).run())
    except (EOFError, KeyboardInterrupt):
        print()
    return 0


class _Closed(Exception):
    """The server has closed the connection; the text says when, with the likely reason."""


class _Dialogue:
    """One dialogue over ``connection``. ``clock`` gives seconds.

    What comes goes to whoever awaits a reply (``_awaited``), otherwise above the prompt. A close sets ``_closed`` and
    ends the wait or the prompt.
    """

    def __init__(self, connection: CommandConnection, prompts: PromptSession[str], clock: Callable[[], float]) -> None:
        self._connection = connection
        self._prompts = prompts
        self._clock = clock
        self._awaited: asyncio.Future[str] | None = None
        self._closed: _Closed | None = None
        self._since = clock()
        self._last = "the connection was opened"

    async def run(self) -> None:
        """All of it; raises EOFError where it is left."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection.fileno(), self._arrived)
        try:
            await self._greeted()
            while await self._command(await self._prompted(PROMPT)):
                pass
        except _Closed as closed:
            self._complain(str(closed))
        finally:
            loop.remove_reader(self._connection.fileno())
        await _typed(PromptSession[str](), LAST_PROMPT)

    async def _greeted(self) -> None:
        greeting = await self._reply()
        if greeting is None:
            where, seconds = self._connection.where, self._connection.timeout
            self._complain(f"no greeting from {where} in {seconds:g} s: {TURN}; what comes is shown when it comes")
        else:
            self._show("Message", greeting)

    async def _command(self, command: str) -> bool:
        """Ask one; whether the dialogue goes on. Raises _Closed where it is not ``EXIT`` that the server closes on."""
        if not command:
            return True
        self._since, self._last = self._clock(), "the last command"
        try:
            if not self._connection.send(command):
                self._close()
            reply = await self._reply()
            if reply is None:
                self._complain(f"no answer from {self._connection.where} in {self._connection.timeout:g} s")
                return True
            self._show("Response", reply)
            if is_exit(command) and (more := await self._reply(CLOSES_WITHIN)) is not None:
                self._show("Message", more)
        except _Closed:
            if is_exit(command):
                return False
            raise
        return True

    async def _reply(self, seconds: float | None = None) -> str | None:
        """What comes next; None where nothing does in time. Raises _Closed."""
        if self._closed is not None:
            raise self._closed
        self._awaited = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._awaited, seconds or self._connection.timeout)
        except TimeoutError:
            return None
        finally:
            self._awaited = None

    async def _prompted(self, prompt: str) -> str:
        if self._closed is not None:
            raise self._closed
        return await _typed(self._prompts, prompt)

    def _arrived(self) -> None:
        verbose = io.StringIO()
        try:
            with contextlib.redirect_stderr(verbose):  # -v speaks there, and the cursor may be in the prompt
                received = self._connection.receive()
        except NoAnswer as error:
            self._close(str(error))
            return
        finally:
            if verbose.getvalue():
                run_in_terminal(lambda: print(verbose.getvalue(), end="", file=sys.stderr, flush=True))
        if not received:
            self._close()
        elif (awaited := self._waiting()) is not None:
            awaited.set_result(received)
        else:
            run_in_terminal(lambda: self._show("Message", received))

    def _close(self, why: str = "") -> None:
        """Note that the server has closed, and end what waits for it or for the person."""
        if self._closed is not None:
            return
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._closed = _Closed(why or self._reason())
        application = self._prompts.app
        if (awaited := self._waiting()) is not None:
            awaited.set_exception(self._closed)
        elif application.future is not None and not application.future.done():
            application.exit(exception=self._closed)

    def _waiting(self) -> asyncio.Future[str] | None:
        """The wait for a reply that nothing has ended yet."""
        return None if self._awaited is None or self._awaited.done() else self._awaited

    def _reason(self) -> str:
        if self._waiting() is not None:
            return "the server closed the connection instead of answering"
        seconds = self._clock() - self._since
        said = f"the server closed the connection {seconds:.0f} s after {self._last}"
        if round(seconds) == _ASSIGNMENT:
            return f"{said}: it waits no longer"
        return f"{said}: it has ended or waits no longer"

    def _show(self, what: str, text: str) -> None:
        print(f"{PREFIX}Server {what}: {shown(text)}", flush=True)

    def _complain(self, text: str) -> None:
        print(f"labnet: {text}", file=sys.stderr, flush=True)


async def _typed(prompts: PromptSession[str], prompt: str) -> str:
    """A line; raises EOFError for Ctrl-C too, which as a KeyboardInterrupt would end the event loop, not the task."""
    try:
        return await prompts.prompt_async(prompt)
    except KeyboardInterrupt:
        raise EOFError from None
