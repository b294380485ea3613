"""Signed zones, and what can be wrong with one: each is a zone below the root of a world of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import dns.dnssec
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

from labnet.signing.zone import Key, Signing, make_key, sign
from tests.resolver.validation.world import Mangle, World

DAY: Final = 86_400

ZONE: Final = """$ORIGIN {origin}.
$TTL 300
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.1
www TXT "one"
mail A 192.0.2.2
alias CNAME www
out CNAME www.good-nsec.
bad CNAME www.expired-nsec.
plain CNAME www.insecure.
*.wild A 192.0.2.4
*.aliases CNAME www
deep.ent A 192.0.2.5
old DNAME new
a.new A 192.0.2.6
elsewhere DNAME good-nsec.
lost DNAME expired-nsec.
zz A 192.0.2.9
sub NS ns.sub
ns.sub A 127.0.0.1
secure NS ns.secure
ns.secure A 127.0.0.1
"""

CHILD: Final = (
    "$ORIGIN {origin}.\n$TTL 300\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.7\n"
)

POSITIVE: Final = (("www", "A"), ("alias", "A"))
NEGATIVE: Final = (("nothing", "A"), ("www", "MX"), ("ent", "A"))
WILD: Final = (("x.wild", "A"), ("x.wild", "MX"), ("y.aliases", "A"))
DNAMES: Final = (("a.old", "A"), ("b.old", "A"), ("old", "DNAME"), ("a.old", "CNAME"))
APEX: Final = (("", "DNSKEY"), ("", "SOA"), ("", "MX"), ("", "DS"))
SUB: Final = (("sub", "DS"), ("www.sub", "A"), ("nothing.sub", "A"), ("www.secure", "A"), ("secure", "DS"))
ALIASES: Final = (("out", "A"), ("bad", "A"), ("plain", "A"), ("www.elsewhere", "A"), ("www.lost", "A"))
SOME: Final = (*POSITIVE, ("nothing", "A"), ("www", "MX"), ("x.wild", "A"), ("www.sub", "A"))
ALL: Final = (*POSITIVE, *NEGATIVE, *WILD, *DNAMES, *APEX, *SUB, *ALIASES)

KINDS: Final = {"nsec": {}, "nsec3": {"nsec3": True, "salt": b"\xaa"}, "optout": {"nsec3": True, "opt_out": True}}

Change = Callable[["Making"], None]


@dataclass
class Making:
    """A zone while it is made: ``before`` it is signed and afterwards it may be changed, and what its parent says."""

    origin: dns.name.Name
    zone: dns.zone.Zone
    key: Key
    signing: Signing
    ds: list[Any] = field(default_factory=list)
    mangle: Mangle | None = None

    def name(self, text: str) -> dns.name.Name:
        """A name in the zone."""
        return dns.name.from_text(text, self.origin)

    def records(self, text: str, rrtype: str) -> dns.rdataset.Rdataset:
        """The records that it has at a name."""
        found = self.zone.get_rdataset(self.name(text), rrtype)
        assert found is not None, (text, rrtype)
        return found

    def signatures(self, text: str, rrtype: str) -> dns.rdataset.Rdataset:
        """Those of the records."""
        found = self.zone.get_rdataset(self.name(text), "RRSIG", dns.rdatatype.from_text(rrtype))
        assert found is not None, (text, rrtype)
        return found

    def resign(self, text: str, rrtype: str, *, add: bool = False, **how: Any) -> None:
        """Sign the records again, in another way."""
        key: Key = how.pop("key", self.key)
        name, rdataset = self.name(text), self.records(text, rrtype)
        times = {"inception": int(self.signing.now) - 3600, "expiration": int(self.signing.now) + 30 * DAY}
        made = dns.dnssec.sign(
            (name, rdataset), key.private, how.pop("signer", self.origin), key.public, **{**times, **how}
        )
        signatures = self.signatures(text, rrtype)
        if not add:
            signatures.clear()
        signatures.add(made, rdataset.ttl)

    def edit(self, text: str, rrtype: str, **values: Any) -> None:
        """Change fields of the signatures as they are."""
        signatures = self.signatures(text, rrtype)
        changed = [each.replace(**values) for each in signatures]
        signatures.clear()
        for each in changed:
            signatures.add(each)

    def drop(self, text: str, rrtype: str) -> None:
        """Take the signatures of the records away."""
        self.zone.delete_rdataset(self.name(text), "RRSIG", dns.rdatatype.from_text(rrtype))

    def denials(self) -> Iterator[tuple[dns.name.Name, dns.rdataset.Rdataset]]:
        """The NSEC or NSEC3 records."""
        for name, node in list(self.zone.nodes.items()):
            for rdataset in list(node):
                if rdataset.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3):
                    yield name, rdataset


@dataclass(frozen=True)
class Variant:
    """A zone that is wrong in one way: what is done ``before`` it is signed, and ``after`` that; ``asked`` are the
    questions about it. ``how`` are other values of its signing.
    """

    name: str
    before: Change = lambda making: None
    after: Change = lambda making: None
    asked: tuple[tuple[str, str], ...] = SOME
    how: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "ECDSAP256SHA256"
    kinds: tuple[str, ...] = ()

    @property
    def every_kind(self) -> tuple[str, ...]:
        """How what is not there is proven; one way is enough where only what is there is asked for."""
        return self.kinds or (("nsec",) if set(self.asked) <= set(POSITIVE) else tuple(KINDS))


def _ds(**values: Any) -> Change:
    def after(making: Making) -> None:
        making.ds = [each.replace(**values) for each in making.ds]

    return after


def _sha1_ds(making: Making) -> None:
    making.ds = [dns.dnssec.make_ds(making.origin, making.key.public, "SHA1", policy=dns.dnssec.allow_all_policy)]


def _sha384_ds(making: Making) -> None:
    making.ds = [dns.dnssec.make_ds(making.origin, making.key.public, "SHA384")]


def _broken_sha1_beside(making: Making) -> None:
    _sha1 = dns.dnssec.make_ds(making.origin, making.key.public, "SHA1", policy=dns.dnssec.allow_all_policy)
    making.ds = [_sha1, *(each.replace(digest=b"\1" * 32) for each in making.ds)]


def _unknown_beside(making: Making) -> None:
    making.ds += [
        making.ds[0].replace(digest_type=99),
        making.ds[0].replace(algorithm=200),
        making.ds[0].replace(key_tag=1),
    ]


def _no_ds(making: Making) -> None:
    making.ds = []


def _other_key(making: Making) -> None:
    making.ds = [make_key("ECDSAP256SHA256").ds(making.origin)]


def _unsigned(making: Making) -> None:
    for node in making.zone.nodes.values():
        node.rdatasets = [e for e in node.rdatasets if e.rdtype not in (46, 47, 48, 50, 51)]
    making.zone.nodes = {name: node for name, node in making.zone.nodes.items() if node.rdatasets}


def _corrupt(text: str, rrtype: str) -> Change:
    def after(making: Making) -> None:
        signature = making.signatures(text, rrtype)[0].signature
        making.edit(text, rrtype, signature=signature[:-1] + bytes((signature[-1] ^ 1,)))

    return after


def _altered(text: str, rrtype: str, data: str) -> Change:
    def after(making: Making) -> None:
        rdataset = making.records(text, rrtype)
        rdataset.clear()
        rdataset.add(dns.rdata.from_text("IN", rrtype, data), 300)

    return after


def _dropped(*places: tuple[str, str]) -> Change:
    return lambda making: [making.drop(*place) for place in places] and None


def _edited(text: str, rrtype: str, **values: Any) -> Change:
    return lambda making: making.edit(text, rrtype, **values)


def _times(text: str, rrtype: str, first: float, last: float, add: bool = False) -> Change:
    """Signed from ``first`` to ``last``, in days from now."""

    def after(making: Making) -> None:
        now = int(making.signing.now)
        times = {"inception": now + int(first * DAY), "expiration": now + int(last * DAY)}
        making.resign(text, rrtype, add=add, **times)

    return after


def _flags(flags: int, protocol: int = 3) -> Change:
    """The key has other flags, and all is signed by it so."""

    def before(making: Making) -> None:
        making.key = Key(making.key.private, making.key.public.replace(flags=flags, protocol=protocol))
        making.ds = [making.key.ds(making.origin)]

    return before


def _no_denial_signatures(making: Making) -> None:
    for name, rdataset in making.denials():
        making.zone.delete_rdataset(name, "RRSIG", rdataset.rdtype)


def _no_denials(making: Making) -> None:
    for name, rdataset in making.denials():
        making.zone.delete_rdataset(name, rdataset.rdtype)
        making.zone.delete_rdataset(name, "RRSIG", rdataset.rdtype)


def _denials(change: Callable[[Any], Any]) -> Change:
    """Every NSEC or NSEC3 record is another, which is signed as it is."""

    def after(making: Making) -> None:
        for name, rdataset in making.denials():
            changed = [change(each) for each in rdataset]
            rdataset.clear()
            for each in changed:
                rdataset.add(each)
            making.resign(str(name), dns.rdatatype.to_text(rdataset.rdtype))

    return after


def _with_types(*types: str) -> Change:
    """The bitmaps have these types too."""
    from dns.rdtypes.util import Bitmap

    def change(record: Any) -> Any:
        have = {
            window * 256 + 8 * place + bit
            for window, block in record.windows
            for place, byte in enumerate(block)
            for bit in range(8)
            if byte & 128 >> bit
        }
        made = Bitmap.from_rdtypes(
            [dns.rdatatype.RdataType.make(each) for each in have | {int(dns.rdatatype.from_text(t)) for t in types}]
        )
        return record.replace(windows=made.windows)

    return _denials(change)


def _next(making: Making) -> None:
    """Each record ends just behind its owner, so that nothing is covered."""

    def change(name: dns.name.Name, record: Any) -> Any:
        if record.rdtype == dns.rdatatype.NSEC:
            return record.replace(next=dns.name.Name((b"\0", *name.labels)))
        import base64

        digest = int.from_bytes(base64.b32hexdecode(name.labels[0].upper()), "big")
        return record.replace(next=((digest + 1) % 2**160).to_bytes(20, "big"))

    for name, rdataset in making.denials():
        changed = [change(name, each) for each in rdataset]
        rdataset.clear()
        for each in changed:
            rdataset.add(each)
        making.resign(str(name), dns.rdatatype.to_text(rdataset.rdtype))


def _mangled(mangle: Mangle) -> Change:
    def after(making: Making) -> None:
        making.mangle = mangle

    return after


def _strip(section: str, *types: str) -> Mangle:
    """Replies have no records of these types in a section, nor their signatures; without types, none at all."""
    kinds = [dns.rdatatype.from_text(each) for each in types]

    def mangle(reply: dns.message.Message) -> None:
        kept = [e for e in getattr(reply, section) if kinds and e.rdtype not in kinds and e.covers not in kinds]
        getattr(reply, section)[:] = kept

    return mangle


def _strip_signatures(section: str) -> Mangle:
    def mangle(reply: dns.message.Message) -> None:
        getattr(reply, section)[:] = [e for e in getattr(reply, section) if e.rdtype != dns.rdatatype.RRSIG]

    return mangle


def _rcode(before: int, after: int) -> Mangle:
    def mangle(reply: dns.message.Message) -> None:
        if reply.rcode() == before and not reply.answer:
            reply.set_rcode(after)

    return mangle


def _asks(reply: dns.message.Message, label: str) -> bool:
    """Whether the address of such a name is asked for, in letters of any case."""
    question = reply.question[0]
    return question.name.canonicalize().labels[0] == label.encode() and question.rdtype == dns.rdatatype.A


def _emptied(rcode: int) -> Mangle:
    """Whatever is asked for about www is not there, proven by what is said of another name."""

    def mangle(reply: dns.message.Message) -> None:
        if _asks(reply, "www"):
            reply.answer.clear()
            reply.set_rcode(rcode)

    return mangle


def _moved(making: Making) -> None:
    """www is answered with mail's records and signatures, under its own name."""

    def mangle(reply: dns.message.Message) -> None:
        if _asks(reply, "www"):
            reply.answer.clear()
            for rdataset in (making.records("mail", "A"), making.signatures("mail", "A")):
                rrset = dns.rrset.RRset(reply.question[0].name, rdataset.rdclass, rdataset.rdtype, rdataset.covers)
                rrset.update(rdataset)
                reply.answer.append(rrset)

    making.mangle = mangle


def _from_wildcard(making: Making) -> None:
    """mail in the wildcard's domain is answered by the wildcard though it is there, without any proof."""
    making.zone.find_rdataset(making.name("there.wild"), "A", create=True).add(
        dns.rdata.from_text("IN", "A", "192.0.2.8"), 300
    )


def _as_wildcard(making: Making) -> None:
    def mangle(reply: dns.message.Message) -> None:
        if _asks(reply, "there"):
            reply.answer.clear()
            for rdataset in (making.records("*.wild", "A"), making.signatures("*.wild", "A")):
                rrset = dns.rrset.RRset(reply.question[0].name, rdataset.rdclass, rdataset.rdtype, rdataset.covers)
                rrset.update(rdataset)
                reply.answer.append(rrset)

    making.mangle = mangle


_PAIRS: dict[str, tuple[Key, Key]] = {}


def same_tag() -> tuple[Key, Key]:
    """Two keys of one tag, by the birthday of their kind."""
    if "pair" not in _PAIRS:
        seen: dict[int, Key] = {}
        while True:
            key = make_key("ECDSAP256SHA256")
            if key.tag in seen:
                _PAIRS["pair"] = seen[key.tag], key
                break
            seen[key.tag] = key
    return _PAIRS["pair"]


def _collision(both: bool) -> Change:
    """The zone has two keys of one tag; ``both`` sign."""

    def before(making: Making) -> None:
        making.key, other = same_tag()
        making.ds = [making.key.ds(making.origin)]
        making.zone.find_rdataset(making.origin, "DNSKEY", create=True).add(other.public, 300)

    return before


def _other_signs(making: Making) -> None:
    making.resign("www", "A", key=same_tag()[1])


def _collided_data(making: Making) -> None:
    making.resign("www", "A", key=same_tag()[1])
    _altered("www", "A", "192.0.2.66")(making)


def _strange(making: Making) -> None:
    making.resign("www", "A", key=make_key("ECDSAP256SHA256"))


def _many_signatures(count: int, good: bool) -> Change:
    """Many signatures do not hold; the last one may."""

    def after(making: Making) -> None:
        signatures = making.signatures("www", "A")
        right = signatures[0]
        signatures.clear()
        for number in range(count):
            signatures.add(right.replace(signature=number.to_bytes(2, "big") + right.signature[2:]), 300)
        if good:
            signatures.add(right, 300)

    return after


VARIANTS: Final = (
    Variant("good", asked=ALL),
    Variant("expired", how={"now": -100}, asked=(*SOME, *APEX)),
    Variant("early", how={"now": 100}, asked=(*SOME, ("", "SOA"))),
    Variant("other-key", after=_other_key),
    Variant("ds-digest", after=_ds(digest=b"\1" * 32), asked=(*SOME, *APEX)),
    Variant("ds-tag", after=_ds(key_tag=1), asked=POSITIVE),
    Variant("ds-algorithm", after=_ds(algorithm=200)),
    Variant("ds-digest-type", after=_ds(digest_type=99), asked=(*SOME, *APEX)),
    Variant("ds-sha1", after=_sha1_ds, asked=POSITIVE),
    Variant("ds-sha384", after=_sha384_ds, asked=POSITIVE),
    Variant("ds-sha1-beside", after=_broken_sha1_beside, asked=POSITIVE),
    Variant("ds-unknown-beside", after=_unknown_beside, asked=POSITIVE),
    Variant("ds-missing", after=_no_ds, asked=ALL),
    Variant("unsigned", after=_unsigned, asked=(*SOME, ("", "DNSKEY"))),
    Variant("unsigned-data", after=_dropped(("www", "A")), asked=POSITIVE),
    Variant("unsigned-alias", after=_dropped(("alias", "CNAME")), asked=POSITIVE),
    Variant("unsigned-keys", after=_dropped(("@", "DNSKEY"))),
    Variant("unsigned-soa", after=_dropped(("@", "SOA")), asked=NEGATIVE),
    Variant("unsigned-dname", after=_dropped(("old", "DNAME")), asked=DNAMES),
    Variant("unsigned-denials", after=_no_denial_signatures, asked=(*NEGATIVE, *WILD, *SUB)),
    Variant("no-denials", after=_no_denials, asked=(*NEGATIVE, *WILD, *SUB, *POSITIVE)),
    Variant("corrupt", after=_corrupt("www", "A"), asked=POSITIVE),
    Variant("corrupt-keys", after=_corrupt("@", "DNSKEY"), asked=(*POSITIVE, *APEX)),
    Variant("corrupt-soa", after=_corrupt("@", "SOA"), asked=NEGATIVE),
    Variant("altered", after=_altered("www", "A", "192.0.2.66"), asked=POSITIVE),
    Variant("altered-alias", after=_altered("alias", "CNAME", "mail.good-nsec."), asked=POSITIVE),
    Variant("other-signer", after=lambda m: m.resign("www", "A", signer=dns.name.root), asked=POSITIVE),
    Variant("signer-below", after=lambda m: m.resign("www", "A", signer=m.name("www")), asked=POSITIVE),
    Variant("stranger", after=_strange, asked=POSITIVE),
    Variant("labels-more", after=_edited("www", "A", labels=5), asked=POSITIVE),
    Variant("labels-less", after=_edited("www", "A", labels=1), asked=POSITIVE),
    Variant("original-ttl", after=_edited("www", "A", original_ttl=9), asked=POSITIVE),
    Variant("signature-algorithm", after=_edited("www", "A", algorithm=200), asked=POSITIVE),
    Variant("signature-tag", after=_edited("www", "A", key_tag=1), asked=POSITIVE),
    Variant("short-signature", after=_edited("www", "A", signature=b"\1"), asked=POSITIVE),
    Variant("expired-data", after=_times("www", "A", -20, -3), asked=POSITIVE),
    Variant("early-data", after=_times("www", "A", 3, 20), asked=POSITIVE),
    Variant("backward-data", after=_times("www", "A", 1, -1), asked=POSITIVE),
    Variant("expired-keys", after=_times("@", "DNSKEY", -20, -3), asked=POSITIVE),
    Variant("expired-beside", after=_times("www", "A", -20, -3, add=True), asked=POSITIVE),
    Variant("flags-none", before=_flags(0), asked=POSITIVE),
    Variant("flags-entry", before=_flags(1), asked=POSITIVE),
    Variant("flags-zone", before=_flags(256), asked=POSITIVE),
    Variant("protocol", before=_flags(257, 4), asked=POSITIVE),
    Variant("collision", before=_collision(False), asked=(*POSITIVE, *NEGATIVE)),
    Variant("collision-other", before=_collision(True), after=_other_signs, asked=POSITIVE),
    Variant("collision-altered", before=_collision(True), after=_collided_data, asked=POSITIVE),
    Variant("few-signatures", after=_many_signatures(3, True), asked=POSITIVE),
    Variant("wrong-signatures", after=_many_signatures(30, False), asked=POSITIVE),
    Variant("types-more", after=_with_types("MX", "TXT"), asked=(*NEGATIVE, *WILD)),
    Variant("types-alias", after=_with_types("CNAME"), asked=(*NEGATIVE, *WILD)),
    Variant("types-cut", after=_with_types("NS"), asked=(*NEGATIVE, *SUB)),
    Variant("types-apex", after=_with_types("SOA"), asked=(*NEGATIVE, *SUB)),
    Variant("types-ds", after=_with_types("DS"), asked=(*NEGATIVE, *SUB)),
    Variant("types-dname", after=_with_types("DNAME"), asked=(*NEGATIVE, *WILD)),
    Variant("next", after=_next, asked=(*NEGATIVE, *WILD, *SUB)),
    Variant("no-proof", after=_mangled(_strip("authority", "NSEC", "NSEC3")), asked=(*NEGATIVE, *WILD, *POSITIVE)),
    Variant("no-soa", after=_mangled(_strip("authority", "SOA")), asked=(*NEGATIVE, *WILD)),
    Variant("no-authority", after=_mangled(_strip("authority")), asked=(*NEGATIVE, *WILD, *SUB)),
    Variant("stripped-answers", after=_mangled(_strip_signatures("answer")), asked=(*POSITIVE, *WILD)),
    Variant("stripped-authority", after=_mangled(_strip_signatures("authority")), asked=(*NEGATIVE, *WILD)),
    Variant("nodata-for-nxdomain", after=_mangled(_rcode(3, 0)), asked=NEGATIVE),
    Variant("nxdomain-for-nodata", after=_mangled(_rcode(0, 3)), asked=NEGATIVE),
    Variant("emptied", after=_mangled(_emptied(0)), asked=POSITIVE[:1]),
    Variant("denied", after=_mangled(_emptied(3)), asked=POSITIVE[:1]),
    Variant("moved", after=_moved, asked=POSITIVE[:1]),
    Variant("as-wildcard", before=_from_wildcard, after=_as_wildcard, asked=(("there.wild", "A"), ("x.wild", "A"))),
    Variant("iterations-150", how={"iterations": 150}, kinds=("nsec3", "optout"), asked=(*NEGATIVE, *WILD, *SUB)),
    Variant("iterations-151", how={"iterations": 151}, kinds=("nsec3", "optout"), asked=(*NEGATIVE, *WILD, *SUB)),
    Variant("iterations-2500", how={"iterations": 2500}, kinds=("nsec3",), asked=(*NEGATIVE, *WILD, *SUB)),
    Variant(
        "hash",
        after=_denials(lambda each: each.replace(algorithm=2)),
        kinds=("nsec3", "optout"),
        asked=(*NEGATIVE, *SUB),
    ),
    Variant(
        "denial-flags", after=_denials(lambda each: each.replace(flags=2)), kinds=("nsec3",), asked=(*NEGATIVE, *SUB)
    ),
    Variant(
        "denial-opted",
        after=_denials(lambda each: each.replace(flags=1)),
        kinds=("nsec3",),
        asked=(*NEGATIVE, *WILD, *SUB),
    ),
    Variant("rsasha256", algorithm="RSASHA256", kinds=("nsec",), asked=SOME),
    Variant("rsasha512", algorithm="RSASHA512", kinds=("nsec",), asked=SOME),
    Variant("p384", algorithm="ECDSAP384SHA384", kinds=("nsec3",), asked=SOME),
    Variant("ed25519", algorithm="ED25519", kinds=("nsec",), asked=SOME),
    Variant("ed448", algorithm="ED448", kinds=("nsec",), asked=SOME),
)


def world_of(now: float) -> tuple[World, Key, list[tuple[str, str]]]:
    """All variants in a world, the key of its root, and the questions about them."""
    world, root_key = World(), make_key("ECDSAP256SHA256")
    root = dns.zone.from_text(
        "$ORIGIN .\n$TTL 3600\n@ SOA a. b. 1 1800 900 604800 60\n@ NS a.\na. A 127.0.0.1\n", relativize=False
    )
    questions = []
    for variant in VARIANTS:
        for kind in variant.every_kind:
            origin = f"{variant.name}-{kind}"
            making = _make(variant, kind, origin, now)
            _take(world, root, making.zone, making.ds)
            for child, is_signed in (("sub", False), ("secure", True)):
                if any(child in name for name, _ in variant.asked):
                    _take_child(world, f"{child}.{origin}", now if is_signed else None)
            if making.mangle is not None:
                world.mangles[making.zone.origin] = making.mangle
            questions += [(f"{name}.{origin}." if name else f"{origin}.", rrtype) for name, rrtype in variant.asked]
    _take(world, root, dns.zone.from_text(CHILD.format(origin="insecure"), relativize=False), [])
    sign(root, root_key, Signing(now))
    world.zones[dns.name.root] = root
    return world, root_key, questions


_KEYS: Final[dict[str, Key]] = {}


def _key(algorithm: str) -> Key:
    if algorithm not in _KEYS:
        _KEYS[algorithm] = make_key(algorithm)
    return _KEYS[algorithm]


def _make(variant: Variant, kind: str, origin: str, now: float) -> Making:
    zone = dns.zone.from_text(ZONE.format(origin=origin), relativize=False)
    key = make_key(variant.algorithm)
    how = dict(variant.how)
    signing = Signing(now + DAY * how.pop("now", 0), **{**KINDS[kind], **how})
    making = Making(zone.origin, zone, key, signing, [key.ds(zone.origin)])
    child = making.name("secure")
    zone.find_rdataset(child, "DS", create=True).add(_key("ECDSAP256SHA256").ds(child), 300)
    variant.before(making)
    sign(zone, making.key, signing)
    variant.after(making)
    return making


def _take(world: World, parent: dns.zone.Zone, zone: dns.zone.Zone, ds: list[Any]) -> None:
    world.zones[zone.origin] = zone
    parent.find_rdataset(zone.origin, "NS", create=True).add(dns.rdata.from_text("IN", "NS", f"ns.{zone.origin}"), 300)
    for each in ds:
        parent.find_rdataset(zone.origin, "DS", create=True).add(each, 300)


def _take_child(world: World, origin: str, now: float | None) -> None:
    zone = dns.zone.from_text(CHILD.format(origin=origin), relativize=False)
    if now is not None:
        sign(zone, _key("ECDSAP256SHA256"), Signing(now))
    world.zones[zone.origin] = zone
