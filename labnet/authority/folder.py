"""The folder of a lab's authority: which files are in it, and how they are written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from labnet.authority.certificates import (
    Authority,
    CertificateError,
    SubjectName,
    new_authority,
    new_key,
    pem_of,
    read_authority,
    read_key,
    server_certificate,
)
from labnet.net.kernel.regular import read_regular

AUTHORITY: Final = "ca"
_PUBLIC_PART: Final = f"{AUTHORITY}.pem"
_SECRET_PART: Final = f"{AUTHORITY}.key"

_LARGEST: Final = 1_000_000  # bytes of a file that is read
_SECRET: Final = 0o600
_PUBLIC: Final = 0o644


class FolderError(Exception):
    """A file of the folder cannot be read, written or used; the text names it and says why."""


class Made(NamedTuple):
    """The paths of what there is now, whether the authority is new, and when the server's certificate ends."""

    authority: str
    certificate: str
    key: str
    is_new_authority: bool
    end: datetime


def make(folder: str, names: Sequence[SubjectName], title: str, now: datetime, days: int) -> Made:
    """Have a certificate in ``folder`` for a server called ``names``, valid from ``now`` for ``days``.

    Its files have the first of the names. The authority is made where there is none, and is called ``title`` then. A
    key that is there stays: a renewal changes one file. Raises :class:`FolderError`.
    """
    stem = str(names[0]).replace("*", "_").replace(":", "-")
    if stem == AUTHORITY:
        raise FolderError(f"{stem}: the files of the authority have this name; begin with another one")
    authority, certificate, key = (os.path.join(folder, name) for name in (_PUBLIC_PART, f"{stem}.pem", f"{stem}.key"))
    is_new, is_new_key = not os.path.lexists(authority), not os.path.lexists(key)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{folder}: cannot be made: {error.strerror}") from None
    own = _make_authority(folder, title, now) if is_new else _read_authority(folder)
    with _blamed(key):
        secret = new_key() if is_new_key else read_key(_read(key))
    with _blamed(authority):
        made = server_certificate(own, secret, names, now, days)
    if is_new_key:
        _write(key, pem_of(secret), _SECRET)
    _write(certificate, pem_of(made), _PUBLIC)
    return Made(authority, certificate, key, is_new, made.not_valid_after_utc)


def _make_authority(folder: str, title: str, now: datetime) -> Authority:
    made = new_authority(title, now)
    # The key first: where the certificate is, the authority is whole.
    _write(os.path.join(folder, _SECRET_PART), pem_of(made.key), _SECRET)
    _write(os.path.join(folder, _PUBLIC_PART), pem_of(made.certificate), _PUBLIC)
    return made


def _read_authority(folder: str) -> Authority:
    path, key = os.path.join(folder, _PUBLIC_PART), os.path.join(folder, _SECRET_PART)
    with _blamed(key):
        secret = read_key(_read(key))
    with _blamed(path):
        return read_authority(_read(path), secret)


@contextlib.contextmanager
def _blamed(path: str) -> Iterator[None]:
    """What is wrong with a certificate or a key is wrong with the file at ``path``."""
    try:
        yield
    except CertificateError as error:
        also = f"{_PUBLIC_PART} and {_SECRET_PART}" if os.path.basename(path) in (_PUBLIC_PART, _SECRET_PART) else "it"
        raise FolderError(f"{path}: {error}; move {also} away to have a new one made") from None


def _read(path: str) -> bytes:
    try:
        return read_regular(path, largest=_LARGEST)
    except OSError as error:
        raise FolderError(f"{path}: cannot be read: {error.strerror}") from None


def _write(path: str, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, over one that is there; nobody reads it before it has its ``mode``."""
    folder, name = os.path.split(path)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}.", delete=False) as file:
            try:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {error.strerror}") from None
