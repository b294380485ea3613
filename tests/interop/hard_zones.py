"""Zones with what servers of zones get wrong, and what is asked of each."""

from __future__ import annotations

from typing import Final

_HEAD: Final = """$TTL 3600
@               IN SOA  ns hostmaster 1 7200 3600 1209600 300
@               IN NS   ns
ns              IN A    192.0.2.1
"""

_HARD: Final = f"""$ORIGIN hard.test.
{_HEAD}@               IN MX   10 mail
mail            IN A    192.0.2.2
mail            IN AAAA 2001:db8::2
; aliases
www             IN CNAME mail
chain           IN CNAME www
dangling        IN CNAME nowhere
outside         IN CNAME www.other.test.
to-wild         IN CNAME x.wild
to-cut          IN CNAME host.sub
to-lower        IN CNAME www.lower
self            IN CNAME self
ping            IN CNAME pong
pong            IN CNAME ping
; an empty non-terminal: b.deep and deep have no records
a.b.deep        IN A    192.0.2.3
; wildcards, as in RFC 4592, section 2.2.1
*.wild          IN TXT  "this is a wildcard"
*.wild          IN MX   10 host1.wild
sub.*.wild      IN TXT  "this is not a wildcard"
host1.wild      IN A    192.0.2.4
_ssh._tcp.host1.wild IN SRV 0 0 22 host1.wild
_ssh._tcp.host2.wild IN SRV 0 0 22 host1.wild
*.alias         IN CNAME mail
*.lost          IN CNAME nowhere
*.a.nested      IN A    192.0.2.5
*.nested        IN A    192.0.2.6
; names above wildcards, and wildcards that are empty non-terminals (RFC 4592, section 2.2.2; RFC 8020)
*.x.entw        IN A    192.0.2.7
foo.*.mid       IN A    192.0.2.8
*.*.dbl         IN A    192.0.2.9
*.top.mid2      IN A    192.0.2.10
foo.*.mid2      IN A    192.0.2.11
; delegations: with glue, without, with a DS, one in an empty non-terminal
sub             IN NS   ns.sub
sub             IN NS   ns.other.test.
ns.sub          IN A    192.0.2.12
bare            IN NS   mail
signed          IN NS   ns.signed
signed          IN DS   12345 8 2 0000000000000000000000000000000000000000000000000000000000000001
ns.signed       IN A    192.0.2.13
in.ent          IN NS   ns.other.test.
; what stands below a delegation is not this zone's
deeper.signed   IN TXT  "hidden"
a.deeper.signed IN NS   ns.other.test.
; a zone of its own, with glue and more in this file
lower           IN NS   ns.lower
lower           IN DS   12345 8 2 0000000000000000000000000000000000000000000000000000000000000002
ns.lower        IN A    192.0.2.14
only-here.lower IN A    192.0.2.15
; renamed
old             IN DNAME wild
old             IN TXT  "beside the DNAME"
gone            IN DNAME nowhere
away            IN DNAME other.test.
toolong         IN DNAME {".".join(["x" * 60] * 3)}.{"y" * 40}
; names that are hard to write
UPPER.Case      IN A    192.0.2.16
sp\\032ace       IN A    192.0.2.17
do\\.t           IN A    192.0.2.18
\\000\\255        IN A    192.0.2.19
{"l" * 63}      IN A    192.0.2.20
{".".join(["d"] * 118)} IN A 192.0.2.21
; types that need not be understood
odd             IN TYPE65400 \\# 4 0a000001
odd             IN CAA  0 issue "ca.test"
odd             IN HTTPS 1 . alpn=h2
odd             IN NAPTR 100 10 "u" "sip" "!^.*$!sip:x@y!" .
"""

_LOWER: Final = f"""$ORIGIN lower.hard.test.
{_HEAD}www             IN A    192.0.2.30
*.wild          IN A    192.0.2.31
"""

_CHAIN: Final = "".join([f"n{number} IN CNAME n{number + 1}\n" for number in range(30)])

ZONES: Final = {
    "hard.test": _HARD,
    "lower.hard.test": _LOWER,
    "chain.test": f"$ORIGIN chain.test.\n{_HEAD}{_CHAIN}n30 IN A 192.0.2.1\n",
}
"""The text of each zone by its name."""

QUESTIONS: Final = [
    *[
        (f"{name}.hard.test.", rrtype)
        for name in (
            *("nowhere", "x.nowhere", "x.mail", "c.b.deep", "c.deep", "deep", "b.deep", "x.wild", "foo.bar.wild"),
            *("x.*.wild", "_telnet._tcp.host1.wild", "_tcp.host1.wild", "host2.wild", "x.host2.wild", "*.x.wild"),
            *("x.alias", "x.y.alias", "x.lost", "x.nested", "a.nested", "x.a.nested", "x.b.nested", "entw", "x.entw"),
            *("ada.x.entw", "y.entw", "mid", "zz.mid", "q.zz.mid", "bar.*.mid", "dbl", "zz.dbl", "q.zz.dbl", "q.*.dbl"),
            *("mid2", "zz.mid2", "top.mid2", "q.top.mid2", "q.zz.mid2", "host.sub", "a.b.c.sub", "x.bare", "ent"),
            *("x.in.ent", "y.ent", "x.deeper.signed", "x.a.deeper.signed", "x.lower", "www.lower", "x.wild.lower"),
            *("q.x.wild.lower", "only-here.lower", "x.only-here.lower", "x.old", "host1.old", "x.y.old", "x.gone"),
            *("x.away", "x.toolong", f"{'z' * 60}.toolong", f"{'z' * 10}.toolong", "upper.case", "UPPER.CASE", "x.odd"),
            *("www", "chain", "dangling", "outside", "to-wild", "to-cut", "self", "ping"),
        )
        for rrtype in ("A", "TXT", "MX", "CNAME", "NS", "DS")
    ],
    *[("to-lower.hard.test.", rrtype) for rrtype in ("A", "TXT")],
    *[("odd.hard.test.", rrtype) for rrtype in ("TYPE65400", "CAA", "HTTPS", "NAPTR", "SVCB", "TYPE65401")],
    *[(f"n{number}.chain.test.", "A") for number in (29, 25, 20, 16, 15)],
]
"""Names and types; those that :func:`~tests.interop.random_zones.questions` finds in the zones come on top."""
