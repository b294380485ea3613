"""What is handed over to the user that the daemon becomes, and what is said of sockets that nobody wants."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
import tempfile
from pathlib import Path
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon import started
from labnet.daemon.started import Owner, Started, give, make_folder, owner_of_daemon
from labnet.net.opening.systemd import Inherited, Notifier

OTHER = Owner(12345, 23456)


class HandOverTestCase(SynchronousTestCase):
    """A folder of our own, and a system that notes what is given to whom."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.state = self.folder / "var"
        self.given: set[str] = set()
        patched = mock.patch.object(started.os, "chown", self.chown)
        patched.start()
        self.addCleanup(patched.stop)

    def chown(
        self, path: int | str, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        """Only root can give a file away, so it is noted: links that would be followed are said."""
        self.assertEqual((uid, gid), OTHER)
        if isinstance(path, int):
            name = os.readlink(f"/proc/self/fd/{path}")
        else:
            self.assertFalse(follow_symlinks)
            name = path if dir_fd is None else os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
        self.given.add(os.path.relpath(os.path.realpath(name), os.path.realpath(self.folder)))


class OwnerTests(SynchronousTestCase):
    """Who the process becomes is said by twistd's options."""

    def test_the_options_of_twistd_say_it(self) -> None:
        """A user brings its group along; a group alone leaves the user."""
        us = pwd.getpwuid(os.getuid())
        self.assertIsNone(owner_of_daemon({}))
        self.assertIsNone(owner_of_daemon({"uid": None, "gid": None}))
        self.assertEqual(owner_of_daemon({"uid": us.pw_uid, "gid": None}), (us.pw_uid, us.pw_gid))
        self.assertEqual(owner_of_daemon({"uid": 5, "gid": 6}), (5, 6))
        self.assertEqual(owner_of_daemon({"uid": None, "gid": 6}), (-1, 6))


class FolderTests(HandOverTestCase):
    """The state folder."""

    def test_it_is_made_for_us(self) -> None:
        """With the folders above it, and given to nobody."""
        make_folder(str(self.state / "deep" / "down"), None)
        self.assertTrue((self.state / "deep" / "down").is_dir())
        make_folder(str(self.state), None)
        self.assertEqual(self.given, set())

    def test_it_is_made_for_another(self) -> None:
        """Who has it, and not the folder above it; nobody else can look into it."""
        make_folder(str(self.state / "lab"), OTHER)
        self.assertEqual(self.given, {"var/lab"})
        self.assertEqual(stat.S_IMODE((self.state / "lab").stat().st_mode) & 0o027, 0)

    def test_its_group_may_look_into_it_under_twistds_umask_too(self) -> None:
        """Which is 077."""
        self.addCleanup(os.umask, os.umask(0o077))
        make_folder(str(self.state), OTHER)
        self.assertEqual(stat.S_IMODE(self.state.stat().st_mode), 0o750)

    def test_what_an_earlier_start_left_in_it_goes_along(self) -> None:
        """Files and sockets of ours; no links, no files with a second name, no folders, nothing of others."""
        self.state.mkdir(0o755)
        (self.state / "main.learned").write_text("www.biu.ac.il,1.2.3.4,180\n")
        local = socket.socket(socket.AF_UNIX)
        self.addCleanup(local.close)
        local.bind(str(self.state / "control.sock"))
        (self.state / "link").symlink_to("/etc/passwd")
        (self.folder / "first").write_text("")
        (self.state / "second").hardlink_to(self.folder / "first")
        (self.state / "folder").mkdir()
        make_folder(str(self.state), OTHER)
        self.assertEqual(self.given, {"var", "var/main.learned", "var/control.sock"})

    def test_a_folder_of_somebody_elses_is_left_as_it_is(self) -> None:
        """Or one that others can write to: what is in it may be there for root to stumble over."""
        self.state.mkdir()
        (self.state / "trap").write_text("")
        self.state.chmod(0o777)
        make_folder(str(self.state), OTHER)
        self.state.chmod(0o755)
        with mock.patch.object(started.os, "geteuid", return_value=os.geteuid() + 1):
            make_folder(str(self.state), OTHER)
        self.assertEqual(self.given, set())


class StartedTests(HandOverTestCase):
    """Both together, as the lab asks for it."""

    def setUp(self) -> None:
        super().setUp()
        self.said: list[tuple[str, dict[str, object]]] = []
        log = mock.Mock(spec=Logger)
        log.warn.side_effect = lambda text, **event: self.said.append((text.format(**event), event))
        self.patch(Started, "log", log)

    def started(self, *descriptors: tuple[str, int], owner: Owner | None = OTHER) -> Started:
        inherited = Inherited(descriptors)
        self.addCleanup(inherited.close)
        return Started(inherited, Notifier(Clock(), {}), owner, (str(self.folder / "twistd.log"),))

    def test_the_folder_the_sockets_and_the_log_are_given(self) -> None:
        """What is not there is not missed."""
        (self.folder / "twistd.log").write_text("")
        self.started().hand_over(str(self.state), [str(self.folder / "gone.sock")])
        self.assertEqual(self.given, {"var", "twistd.log"})
        self.assertEqual(self.said, [])

    def test_nothing_is_given_where_nobody_is_to_have_it(self) -> None:
        """And no folder is made where none is needed."""
        (self.folder / "twistd.log").write_text("")
        self.started(owner=None).hand_over(None, [])
        self.assertEqual(self.given, set())
        self.assertFalse(self.state.exists())
        give([str(self.folder)], OTHER)
        self.assertEqual(self.given, set())

    def test_a_folder_that_cannot_be_made_is_said(self) -> None:
        """The lab goes on: what cannot be written is told by who writes it."""
        (self.folder / "file").write_text("")
        self.started().hand_over(str(self.folder / "file" / "var"), [])
        ((text, event),) = self.said
        self.assertEqual(event["event"], "start.not-handed-over")
        self.assertIn(f"{self.folder}/file", text)
        self.assertIn(os.strerror(errno.ENOTDIR), text)

    def test_sockets_that_nobody_wants_are_said_once(self) -> None:
        """All in one line."""
        first, second = (self.listening() for _ in range(2))
        self.started(("a", first.fileno()), ("b", second.fileno())).warn_of_unused()
        ((text, event),) = self.said
        self.assertEqual(event["event"], "start.unused-socket")
        self.assertIn(f"a (TCP 127.0.0.1:{first.getsockname()[1]}), b (TCP ", text)
        self.said.clear()
        self.started().warn_of_unused()
        self.assertEqual(self.said, [])

    def listening(self) -> socket.socket:
        sock = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        return sock
