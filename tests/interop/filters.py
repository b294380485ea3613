"""unbound and labnet with the same lists, guards and translations, in front of one server of a zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.daemon import Daemon
from tests.interop.dns_peers import LOOPBACK, Peer, filtering, serving
from tests.interop.plain import Address

ZONE = """$ORIGIN lab.test.
$TTL 300
@            SOA   ns admin 1 3600 600 86400 60
@            NS    ns
ns           A     127.0.0.1
www          A     192.0.2.1
www          AAAA  2001:db8::1
ads          A     192.0.2.2
ads          TXT   "buy"
a.ads        A     192.0.2.3
tracker      A     192.0.2.4
x.tracker    A     192.0.2.5
x.y.tracker  A     192.0.2.5
ok.tracker   A     192.0.2.6
empty        A     192.0.2.7
drop         A     192.0.2.8
here         A     192.0.2.9
away         A     192.0.2.10
b.far        A     192.0.2.11
b.far.lab.test.garden A 192.0.2.12
alias        CNAME ads
alias2       CNAME x.tracker
alias3       CNAME www
alias4       CNAME empty
alias5       CNAME ok.tracker
resp         A     198.51.100.7
resp         AAAA  2001:db8::7
resp6        AAAA  2001:db8:bad::7
good         A     198.51.100.9
aliasresp    CNAME resp
house        A     192.0.2.13
blocked      A     192.0.2.14
p4           A     10.1.2.3
p172         A     172.20.1.1
p6           AAAA  fd00::1
p6           A     192.0.2.15
aliasp4      CNAME p4
www.priv     A     10.0.0.1
only4        A     192.0.2.33
only4        A     192.0.2.34
both         A     192.0.2.33
both         AAAA  2001:db8::33
alias64      CNAME only4
text         TXT   "no address"
"""

POLICY = """$TTL 300
@                          SOA   localhost. root.localhost. 1 3600 600 86400 60
@                          NS    localhost.
ads.lab.test               CNAME .
tracker.lab.test           CNAME .
*.tracker.lab.test         CNAME .
ok.tracker.lab.test        CNAME rpz-passthru.
empty.lab.test             CNAME *.
drop.lab.test              CNAME rpz-drop.
here.lab.test              A     192.0.2.99
here.lab.test              TXT   "from the list"
away.lab.test              CNAME www.lab.test.
*.far.lab.test             CNAME *.garden.lab.test.
nowhere.lab.test           CNAME .
24.0.100.51.198.rpz-ip     CNAME .
32.9.100.51.198.rpz-ip     CNAME rpz-passthru.
48.zz.bad.db8.2001.rpz-ip  CNAME *.
32.9.0.0.127.rpz-client-ip CNAME *.
"""

TRANSLATED = "2001:db8:64::/96"


@dataclass(frozen=True)
class Pair:
    """Two servers that do the same, by what they are for: ``policy`` and ``translating``."""

    labnet: Address
    unbound: Address


def _unbound(server: Sequence[str], policy: bool) -> tuple[str, str]:
    zone = 'rpz:\n name: rpz.\n zonefile: "policy.rpz"\n' if policy else ""
    return "".join(f" {line}\n" for line in server), zone


@contextmanager
def pairs(folder: Path) -> Iterator[dict[str, Pair]]:
    """labnet and unbound before NSD, which has :data:`ZONE`."""
    with ExitStack() as stack:
        zone = stack.enter_context(serving("nsd", folder / "nsd", ZONE))
        policy = [
            'module-config: "respip iterator"',
            "private-address: 10.0.0.0/8",
            "private-address: 172.16.0.0/12",
            "private-address: 127.0.0.0/8",
            "private-address: fd00::/8",
            'private-domain: "priv.lab.test"',
            'local-data: "house.lab.test 60 A 192.0.2.77"',
            'local-zone: "blocked.lab.test" always_nxdomain',
        ]
        first = stack.enter_context(filtering(folder / "policy", zone, *_unbound(policy, True), POLICY))
        translating = ['module-config: "dns64 iterator"', f"dns64-prefix: {TRANSLATED}"]
        second = stack.enter_context(filtering(folder / "translating", zone, *_unbound(translating, False), POLICY))
        daemon = stack.enter_context(labnet(folder / "labnet", zone))
        yield {
            "policy": Pair(daemon.address("resolver policy"), first.address),
            "translating": Pair(daemon.address("resolver translating"), second.address),
        }


def labnet(folder: Path, zone: Peer) -> Daemon:
    """A lab that does what the unbounds of :func:`pairs` do."""
    folder.mkdir()
    (folder / "policy.rpz").write_text(POLICY)
    (folder / "own.txt").write_text("house.lab.test,192.0.2.77,60\n")
    stub = f'stub = {{ "lab.test" = "dns:{LOOPBACK}:{zone.address[1]}" }}\n'
    (folder / "lab.toml").write_text(
        f'[resolver.policy]\nlisten = "udp:0"\n{stub}records = "own.txt"\n'
        'rebind_protection = true\nrebind_exempt = "priv.lab.test"\n'
        '[resolver.policy.block.rpz]\nfile = "policy.rpz"\nform = "rpz"\n'
        '[resolver.policy.block.more]\nnames = "*.blocked.lab.test"\n'
        f'[resolver.translating]\nlisten = "udp:0"\n{stub}dns64 = "{TRANSLATED}"\n'
    )
    return Daemon("labnet", "--config=lab.toml", cwd=folder)
