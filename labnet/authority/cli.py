"""The command ``cert``: certificates for encrypted DNS, of a lab's own authority."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime
from typing import Final

import click

from labnet.cli.frame import LabCommand
from labnet.cli.missing import needs
from labnet.cli.readers import Reader
from labnet.wire.quoting import quoted

_USUAL: Final = ("localhost", "127.0.0.1", "::1")


def _read_days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0):
        raise ValueError(f"{text!r} is no number of days: 1 to 9999")
    return int(text)


DAYS: Final = Reader("days", _read_days)


@click.command(
    cls=LabCommand,
    help="Make a certificate for a server that is called by each NAME, a domain name or an IP address, and the "
    "authority that clients have to trust, where FOLDER has none yet. A key that is there stays, so the same line "
    "renews the certificate. Exit status: 0 done, 1 a name or a file is wrong, 3 a package is missing.",
    examples=[
        ("labnet cert", "for localhost, 127.0.0.1 and ::1, in certs"),
        ("labnet cert dns.lab.test 192.0.2.53", "certs/dns.lab.test.pem and its key, certs/ca.pem for the clients"),
        ("labnet cert --folder /etc/labnet/certs --days 30 192.0.2.53", "elsewhere, for a month"),
    ],
)
@click.argument("names", nargs=-1, metavar="[NAME…]", help="Default: localhost, 127.0.0.1 and ::1.")
@click.option("--folder", default="certs", show_default=True, metavar="FOLDER", help="Where the files are.")
@click.option("--days", type=DAYS, default=397, show_default=True, metavar="N", help="How long it lasts.")
def cert(names: tuple[str, ...], folder: str, days: int) -> int:
    with needs("cryptography", "tls"):
        from labnet.authority.certificates import CertificateError, read_name
        from labnet.authority.folder import FolderError, make
    try:
        read = list(dict.fromkeys(map(read_name, names or _USUAL)))
        made = make(folder, read, f"labnet authority of {socket.gethostname()}", datetime.now(UTC), days)
    except (CertificateError, FolderError) as error:
        print(f"labnet: {quoted(str(error))}", file=sys.stderr)
        return 1
    if made.is_new_authority:
        print(f"wrote {quoted(made.authority)}: what clients have to trust; its key never leaves this folder")
    print(f"wrote {quoted(made.certificate)} and {quoted(made.key)}: for {', '.join(map(str, read))}", end="")
    print(f", until {made.end:%Y-%m-%d}")
    paths = (os.path.abspath(path).replace(":", "\\:") for path in (made.certificate, made.key))
    print("now: listen = 'tls:853:certificate={}:key={}'".format(*map(quoted, paths)))
    return 0
