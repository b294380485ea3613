"""The command ``sign``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from labnet.cli.frame import LabCommand
from labnet.cli.missing import needs


@click.command(
    cls=LabCommand,
    help="Sign zone files, each so that it vouches for those of the others that are below it. The signed zones, their "
    "private keys and the trust anchors of the uppermost ones are in FOLDER then. Exit status: 0, or 2 where a zone "
    "cannot be signed.",
    examples=[
        ("labnet sign --into etc/tree/signed etc/tree/*.zone", "sign the zones of the tree in etc/tree"),
        ("labnet sign --into signed --nsec3 --days 7 lab.zone", "one zone for a week, its names hashed"),
    ],
)
@click.argument("files", nargs=-1, required=True, metavar="ZONEFILE…", help="Files of one zone each.")
@click.option("--into", required=True, metavar="FOLDER", help="Where the signed zones go; keys there are used again.")
@click.option("--nsec3", is_flag=True, help="Prove what is not there by hashes of names (NSEC3), not by names (NSEC).")
@click.option("--opt-out", is_flag=True, help="With --nsec3, leave delegations out that are not signed.")
@click.option(
    "--days", type=click.FloatRange(0.01, 10_000), default=30.0, show_default=True, help="How long signatures hold."
)
@click.option(
    "--algorithm",
    type=click.Choice(
        ["ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519", "ED448", "RSASHA256", "RSASHA512"], case_sensitive=False
    ),
    default="ECDSAP256SHA256",
    show_default=True,
    help="The algorithm of the keys.",
)
def sign(files: tuple[str, ...], into: str, nsec3: bool, opt_out: bool, days: float, algorithm: str) -> int:
    with needs("cryptography", "dnssec"):
        from labnet.signing.tree import ANCHORS, CannotSign, sign_tree
        from labnet.signing.zone import Signing

    if opt_out and not nsec3:
        raise click.UsageError("--opt-out is for --nsec3", click.get_current_context())
    signing = Signing(time.time(), days, nsec3, opt_out)
    try:
        for signed in sign_tree([Path(file) for file in files], Path(into), signing, algorithm):
            print(f"{signed.zone}: signed by key {signed.tag}: {signed.path}")
    except CannotSign as error:
        print(f"labnet: {error}", file=sys.stderr)
        return 2
    print(f"trust anchors: {Path(into) / ANCHORS}")
    return 0
