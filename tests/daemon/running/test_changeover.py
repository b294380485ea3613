"""From one configuration to another: all of it or nothing, and what only a restart brings."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from labnet.config import reading
from labnet.config.reading import Config
from labnet.daemon.running.changeover import (
    Joining,
    Leaving,
    change_over,
    kept_until_restart,
    narrowed,
    swap,
    without_listener,
)
from labnet.interfaces import IChange, StartError


def lab(*, rundir: str = "/run", **tables: Any) -> Config:
    """A configuration of resolvers by name, and other tables."""
    others = {name: tables.pop(name) for name in ("lab", "command", "capture", "console", "shared") if name in tables}
    resolvers = {name: table if isinstance(table, dict) else {"listen": table} for name, table in tables.items()}
    return reading.build({"resolver": resolvers, **others}, "/etc", rundir)


def listens(given: Config) -> dict[str, list[str]]:
    """The listeners of each service."""
    found = {name: [str(listen) for listen in resolver.listen] for name, resolver in given.resolver.items()}
    return found | ({"command": [*given.command.listen]} if given.command else {})


@implementer(IChange)
class Change:
    """Notes what happens to it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes
        notes.append(f"prepare {name}")

    def commit(self) -> None:
        self.notes.append(f"commit {self.name}")

    def cancel(self) -> None:
        self.notes.append(f"cancel {self.name}")


class SwapTests(SynchronousTestCase):
    """Two phases."""

    def test_everything_is_prepared_before_anything_is_committed(self) -> None:
        """In the same order."""
        notes: list[str] = []
        swap([lambda: Change("a", notes), lambda: Change("b", notes)])
        self.assertEqual(notes, ["prepare a", "prepare b", "commit a", "commit b"])

    def test_nothing_is_committed_where_one_cannot_be_prepared(self) -> None:
        """Those that were prepared are cancelled, the last first."""
        notes: list[str] = []

        def fails() -> IChange:
            raise StartError("udp:1", "no")

        with self.assertRaises(StartError):
            swap([lambda: Change("a", notes), lambda: Change("b", notes), fails])
        self.assertEqual(notes, ["prepare a", "prepare b", "cancel b", "cancel a"])


class FixedTests(SynchronousTestCase):
    """What stays until a restart."""

    def test_what_can_change_is_taken_without_a_word(self) -> None:
        """Services, grace, watch."""
        wanted = lab(b="udp:2", lab={"grace": 1.0, "watch": True})
        self.assertEqual(kept_until_restart(lab(a="udp:1"), wanted), (wanted, []))

    def test_what_cannot_is_kept_and_said(self) -> None:
        """Each key by its name; the rest of the configuration is taken."""
        running = lab(a="udp:1")
        wanted = lab(
            b="udp:2",
            lab={"workers": 2},
            capture={"file": "lab.pcapng"},
            console={"log": "lab.json", "query_sample": 0.5},
            shared={"url": "redis://localhost"},
        )
        kept, warnings = kept_until_restart(running, wanted)
        names = ("[lab] workers", "[capture] file", "[console] log", "[console] query_sample", "[shared]")
        self.assertEqual(warnings, [f"{name} is changed only by a restart" for name in names])
        self.assertEqual(listens(kept), listens(wanted))
        self.assertEqual(
            (kept.lab, kept.capture, kept.console, kept.shared),
            (running.lab, running.capture, running.console, running.shared),
        )

    def test_how_open_ports_read(self) -> None:
        """In batches or not; a resolver that is new has what it wants."""
        batch = {"listen": "udp:1", "batch": True}
        running, wanted = lab(a=batch | {"batch": False}), lab(a=batch, b=batch)
        kept, warnings = kept_until_restart(running, wanted)
        self.assertEqual(warnings, ["[resolver.a] batch is changed only by a restart"])
        self.assertEqual([resolver.batch for resolver in kept.resolver.values()], [False, True])

    def test_another_folder_of_state_moves_nothing(self) -> None:
        """What is below it stays below the old one; a path elsewhere may change."""
        table = {"listen": "udp:1", "learned": "a.learned"}
        console = {"control": "c.sock", "log": "/var/log/lab.json"}
        running = lab(a=table, console=console)
        kept, warnings = kept_until_restart(running, lab(a=table, console=console, lab={"state": "other"}))
        self.assertEqual(warnings, ["[lab] state is changed only by a restart"])
        self.assertEqual(kept, running)
        elsewhere = lab(a=table | {"learned": "/srv/a"}, console=console, lab={"state": "other"})
        self.assertEqual(kept_until_restart(running, elsewhere)[0].resolver["a"].learned, "/srv/a")


class ListenerTests(SynchronousTestCase):
    """Configurations with some of their listeners."""

    def test_narrowed(self) -> None:
        """To those that the same service goes on with."""
        running = lab(a=["udp:1", "udp:2"], b="udp:3", command={"listen": ["tcp:4", "tcp:5"]})
        wanted = lab(a=["udp:2", "udp:6"], c="udp:3", command={"listen": "tcp:5"})
        udp2 = ["udp:2:interface=127.0.0.1"]
        self.assertEqual(listens(narrowed(running, wanted)), {"a": udp2, "b": [], "command": ["tcp:5"]})
        self.assertEqual(listens(narrowed(running, lab(a="udp:2"))), {"a": udp2, "b": [], "command": []})

    def test_without_one_that_may_not_be_opened(self) -> None:
        """The others of that service stay; without any it listens as before, or not at all where it is new."""
        udp = "udp:{}:interface=127.0.0.1".format
        less = without_listener(lab(a=["udp:53", "udp:1"], b="udp:2"), lab(a="udp:1"), udp(53))
        assert less is not None
        self.assertEqual(listens(less), {"a": [udp(1)], "b": [udp(2)]})
        less = without_listener(lab(a="udp:53", b="udp:53"), lab(a="udp:1"), udp(53))
        assert less is not None
        self.assertEqual(listens(less), {"a": [udp(1)]})
        command = {"listen": "tcp:80"}
        less = without_listener(lab(a="udp:1", command=command), lab(a="udp:1"), "tcp:80")
        assert less is not None
        self.assertEqual(listens(less), {"a": [udp(1)]})
        self.assertIsNone(without_listener(lab(a="udp:1"), lab(a="udp:1"), "udp:7"))


class ChangeOverTests(SynchronousTestCase):
    """The whole way, with listeners of which some cannot be opened."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.running = lab(a=["udp:1", "udp:2"], b="udp:3")
        self.open = self.opened_by(self.running)
        self.refused: dict[str, int] = {}
        self.steps: list[dict[str, list[str]]] = []

    def opened_by(self, given: Config) -> set[str]:
        return {listen for some in listens(given).values() for listen in some}

    def changes(self, given: Config) -> Iterator[Callable[[], IChange]]:
        """One change that opens all: what is open already with another address of its number is in the way."""
        yield lambda: Taking(self, given)

    def over(self, wanted: Config) -> Deferred[tuple[Config, list[str]]]:
        return Deferred.fromCoroutine(change_over(self.running, wanted, self.changes, self.changes, self.clock))

    def test_it_is_taken_at_once(self) -> None:
        """Where everything can be opened."""
        wanted = lab(a="udp:1", c="udp:4")
        self.assertEqual(self.successResultOf(self.over(wanted)), (wanted, []))
        self.assertEqual(self.open, self.opened_by(wanted))

    def test_what_needs_the_rights_of_the_start_is_left_out(self) -> None:
        """With a warning."""
        for number in errno.EACCES, errno.EPERM:
            self.refused = {"udp:53:interface=127.0.0.1": number}
            config, warnings = self.successResultOf(self.over(lab(a=["udp:53", "udp:1"])))
            self.assertEqual(listens(config), {"a": ["udp:1:interface=127.0.0.1"]})
            says = "listening on udp:53:interface=127.0.0.1 needs the rights of the start: restart the lab"
            self.assertEqual(warnings, [says])

    def test_any_other_error_changes_nothing(self) -> None:
        """Also a port that somebody else has, though one of ours is closed that has nothing to do with it."""
        for number in errno.EADDRINUSE, errno.EADDRNOTAVAIL:
            self.refused = {"udp:9:interface=127.0.0.1": number}
            before = set(self.open)
            self.failureResultOf(self.over(lab(a="udp:1", c="udp:9")), StartError)
            self.assertEqual(self.open, before)
            self.assertEqual(self.steps, [])

    def test_one_of_ours_that_is_in_the_way_is_closed_first(self) -> None:
        """A listener that gets wider, and one that moves to a service of another name."""
        wanted = lab(a=["udp:1", "udp:2:interface=0.0.0.0"], c="udp:3")
        changing = self.over(wanted)
        self.assertNoResult(changing)
        self.assertEqual(self.open, {"udp:1:interface=127.0.0.1"})
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(changing), (wanted, []))
        self.assertEqual(self.open, self.opened_by(wanted))

    def test_they_are_opened_again_where_that_does_not_help(self) -> None:
        """Somebody else has that number too."""
        self.refused = {"udp:2:interface=0.0.0.0": errno.EADDRINUSE}
        before = set(self.open)
        changing = self.over(lab(a=["udp:1", "udp:2:interface=0.0.0.0"], b="udp:3"))
        self.clock.advance(1)
        self.failureResultOf(changing, StartError)
        self.assertEqual(self.open, before)


@implementer(IChange)
class Taking:
    """Opens the listeners of ``given`` in ``test``."""

    def __init__(self, test: ChangeOverTests, given: Config) -> None:
        self._test = test
        self._wanted = test.opened_by(given)
        self._given = given
        owners = {(name, listen) for name, some in listens(given).items() for listen in some}
        held = {
            (name, listen) for name, some in listens(test.running).items() for listen in some if listen in test.open
        }
        for _, listen in sorted(owners - held):
            number = listen.split(":")[1]
            if any(listening.split(":")[1] == number for listening in test.open):
                raise StartError(listen, OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))
            if listen in test.refused:
                raise StartError(listen, OSError(test.refused[listen], os.strerror(test.refused[listen])))

    def commit(self) -> None:
        self._test.open = self._wanted
        self._test.steps.append(listens(self._given))

    def cancel(self) -> None:
        """Nothing is open."""


class Drained(Service):
    """A service that is drained when the test says so, or never."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.drained: Deferred[None] = Deferred()

    def privilegedStartService(self) -> None:
        if self.fails:
            raise StartError("udp:1", "no")

    def drain(self) -> Deferred[None]:
        return self.drained


class JoinAndLeaveTests(SynchronousTestCase):
    """Services of a parent that runs."""

    def setUp(self) -> None:
        self.parent = MultiService()
        self.parent.startService()
        self.calls: list[str] = []
        self.clock = Clock()

    def children(self) -> Iterable[Any]:
        return [*self.parent]

    def test_a_service_joins(self) -> None:
        """It runs when it is prepared, and is known when that is committed."""
        service = Drained()
        joining = Joining(service, self.parent, lambda: self.calls.append("joined"))
        self.assertTrue(service.running)
        self.assertEqual(self.calls, [])
        joining.commit()
        self.assertEqual(self.calls, ["joined"])

    def test_one_that_is_dropped_is_stopped(self) -> None:
        """As is one that cannot start."""
        service = Drained()
        Joining(service, self.parent, list).cancel()
        self.assertFalse(service.running)
        self.assertRaises(StartError, Joining, Drained(fails=True), self.parent, list)
        self.assertEqual(self.children(), [])

    def leaving(self) -> Drained:
        service = Drained()
        service.setServiceParent(self.parent)
        Leaving(service, self.clock, 5.0, lambda: self.calls.append("left")).commit()
        self.assertEqual(self.calls, ["left"])
        self.assertTrue(service.running)
        return service

    def test_one_that_leaves_is_drained_first(self) -> None:
        """Then it is stopped and nobody's."""
        service = self.leaving()
        service.drained.callback(None)
        self.assertFalse(service.running)
        self.assertEqual(self.children(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_has_the_grace_at_most(self) -> None:
        """Then it is stopped all the same."""
        service = self.leaving()
        self.clock.advance(5)
        self.assertFalse(service.running)
        self.assertEqual(self.children(), [])

    def test_the_parent_may_stop_it_meanwhile(self) -> None:
        """It is not stopped twice."""
        service = self.leaving()
        self.parent.stopService()
        self.clock.advance(5)
        self.assertFalse(service.running)

    def test_one_that_is_not_to_leave_after_all(self) -> None:
        """Goes on."""
        service = Drained()
        service.setServiceParent(self.parent)
        Leaving(service, self.clock, 5.0, lambda: self.calls.append("left")).cancel()
        self.assertTrue(service.running)
        self.assertEqual(self.calls, [])
