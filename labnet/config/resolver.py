"""The table of a resolver.

The field descriptions are the documentation of each key; docs/configuration.rst shows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from labnet.config.filters import BlockTable, ListName
from labnet.config.keys import KeyConfig
from labnet.values.addresses import LOOPBACK, Network, TranslationNetwork
from labnet.values.listeners import Listener
from labnet.values.model import Model, field
from labnet.values.servers import NetworkOrKey, Parent, Server, Stubs
from labnet.values.texts import TTL, DialectName, Domain, File, Many, Path, Seconds, ServerName, Unknown
from labnet.wire.names import key_of, text_of


class ResolverConfig(Model):
    """``[resolver.NAME]``: one resolver."""

    listen: Many[Listener] = field(
        min_length=1,
        description="Addresses to listen on by UDP, and by TCP on the same number: udp:PORT:interface=ADDRESS; "
        "encrypted, by TCP alone: tls:PORT:interface=ADDRESS:certificate=FILE:key=FILE, and https: with the same.",
    )
    records: Many[File] = field(
        (), description="Records files, relative to this file: course:FILE, hosts:FILE, zone:FILE, or FILE alone."
    )
    zones: Many[Domain] = field(
        (), description="Domains that the records have in full: answers for them are authoritative and end here."
    )
    transfer: Many[NetworkOrKey] = field(
        (),
        description="Who may have these zones in full (AXFR, IXFR): networks, and whoever signs with key:NAME; "
        "default: nobody.",
    )
    transfers: int = field(10, ge=1, le=1000, description="Zones that are given in full at a time; more are refused.")
    notify: Many[Server] = field(
        (), description="Servers that are told when one of these zones is a newer one: ADDRESS[:PORT] [key:NAME]."
    )
    secondary: Mapping[Domain, Many[Server]] = field(
        default_factory=dict,
        description="Zones that are had from other servers, and kept below `state`: a table, zone = [primaries], each "
        "ADDRESS[:PORT] [key:NAME].",
    )
    reverse: bool = field(True, description="Derive PTR records from the addresses in the records.")
    parents: Many[Parent] = field(
        (),
        description="Servers for unknown names: text:ADDRESS:PORT (course protocol; text+DIALECT: in that one), "
        "dns:ADDRESS[:PORT], dns+tcp:ADDRESS[:PORT], dot:ADDRESS[:PORT]#NAME (over TLS), "
        "doh:https://NAME/PATH@ADDRESS (over HTTPS), system (those of /etc/resolv.conf), root (recursion from the root "
        "hints).",
    )
    forward: Mapping[Domain, Many[Parent]] = field(
        default_factory=dict, description="Parents for single domains: a table, domain = [parents]."
    )
    block: Mapping[ListName, BlockTable] = field(
        default_factory=dict, description="Lists of names that are blocked: a table for each, block.LIST."
    )
    rebind_protection: bool = field(
        False, description="Pass on no private address that a parent gives (DNS rebinding): there is no record then."
    )
    rebind_exempt: Many[Domain] = field((), description="Domains whose names may have private addresses all the same.")
    stub: Mapping[Domain, Stubs] = field(
        default_factory=dict,
        description="Servers of zones, asked without recursion as those met below: a table, domain = [servers].",
    )
    dns64: TranslationNetwork | None = field(
        None, description="Make AAAA records of A records, behind this prefix: 64:ff9b::/96, or one of a translator's."
    )
    dns64_exclude: Many[Network] = field(
        (), description="IPv6 networks whose AAAA records count as none for that, and IPv4 networks that are left out."
    )
    hints: Path | None = field(
        None, description="Root hints for parents = root, relative to this file; default: the real root's."
    )
    root_port: int = field(53, ge=1, le=65535, description="The port of every server met by recursion from the root.")
    ca: Path | None = field(
        None,
        description="The authorities that certificates of dot: and doh: parents are checked by, PEM, relative to this "
        "file; default: the system's.",
    )
    dnssec: Literal["off", "validate"] = field(
        "off",
        description="validate: what DNS parents and recursion say counts if it is signed as its zone ought to be, else "
        "the question fails; what course parents say counts as it is.",
    )
    trust_anchors: Path | None = field(
        None,
        description="DS or DNSKEY records that validation begins at, relative to this file; default: the real root's.",
    )
    insecure: Many[Domain] = field(
        (), description="Domains that are not validated, as a company's own names that nobody signs."
    )
    learned: Path | None = field(
        None, description="The file that keeps what is learned, below `state`; without it a stop forgets."
    )
    dialect: DialectName = field(
        "json",
        description="How the course protocol is spoken: json (the transcript's replies), line, zone, … (labnet dialect "
        "list), or the path of a dialect file, relative to this file.",
    )
    newline: bool = field(False, description="End each reply with a newline, but for dialect json.")
    unknown: Unknown | None = field(
        None,
        max_length=255,
        description='The reply for an unknown name, which {name} stands for, not in dialect json; "": an empty '
        "datagram; default: the dialect's, which is {name},not found,0 in line.",
    )
    referral_port: int | None = field(
        None, ge=1, le=65535, description="The port of a server that is referred to without one; default: the own port."
    )
    parent_timeout: Seconds = field(2.0, description="Seconds that a parent has for each try.")
    parent_tries: int = field(2, ge=1, le=10, description="Tries with each parent.")
    mixed_case: bool = field(True, description="Ask DNS servers in letters of random case, against forged replies.")
    default_ttl: TTL = field(60, description="Seconds, for a course parent's answer without a TTL.")
    course_ttl_max: TTL = field(86400, description="Seconds that a course parent's answer is kept at most.")
    ttl_min: TTL = field(0, description="Seconds that a DNS parent's answer is kept at least.")
    ttl_max: TTL = field(86400, description="Seconds that a DNS parent's answer is kept at most.")
    negative_ttl_max: TTL = field(3600, description="Seconds that a DNS parent's negative answer is kept at most.")
    serve_stale: TTL = field(0, description="Seconds past its TTL that an answer serves if no parent answers; 0: off.")
    prefetch: bool = field(True, description="Ask a DNS parent anew for names asked near the end of their TTL.")
    cache_bytes: int = field(32_000_000, ge=100_000, description="Bytes that what is learned may take.")
    batch: bool = field(True, description="On Linux, read and write datagrams in batches.")
    batch_delay: float = field(
        0.00025,
        ge=0,
        le=0.01,
        description="Seconds that questions may wait to be answered by the batch; 0: they do not.",
    )
    packet_cache_bytes: int = field(
        16_000_000, ge=0, description="Bytes that ready answers may take, for each protocol; 0: none are kept."
    )
    in_flight: int = field(500, ge=1, description="Questions asked of the parents at a time; more are refused.")
    nsid: ServerName = field("", description="The server's name for clients that ask for it (NSID); default: none.")
    identify: bool = field(
        False, description="Answer id.server with the text of nsid and version.bind with the version, in class CHAOS."
    )
    explain: bool = field(True, description="Say by an extended DNS error where each answer comes from.")
    tcp_idle: Seconds = field(10.0, description="Seconds that a silent TCP connection of DNS is kept.")
    tcp_connections: int = field(150, ge=1, description="TCP connections of DNS at a time; the oldest makes room.")
    tcp_per_address: int = field(50, ge=0, description="TCP connections of DNS of one address at a time; 0: no limit.")
    allow: Many[Network] = field(LOOPBACK, description="Networks that are served; others are refused.")
    deny: Many[Network] = field((), description="Networks that get no answer at all, even inside an allowed one.")
    recursion: Many[Network] | None = field(
        None, description="Networks that get more than the records: what is learned, and parents asked; default: allow."
    )
    rate_limit: float = field(
        200, ge=0, le=1e9, description="UDP answers a second to one client network (/24, /56); 0: no limit."
    )
    rate_burst: float = field(3, ge=1, le=3600, description="Seconds of rate_limit that may be used up at once.")
    rate_slip: int = field(
        2, ge=0, le=100, description="Of the DNS answers past rate_limit, each n-th is sent truncated; 0: none."
    )
    rate_exempt: Many[Network] = field(LOOPBACK, description="Networks without a rate limit.")
    in_flight_per_client: int = field(
        100, ge=1, description="Questions of one client network (/24, /56) in flight at a time; more are refused."
    )

    @property
    def keys(self) -> Mapping[str, KeyConfig]:
        """The keys that messages may be signed by, by their names."""
        keys: Mapping[str, KeyConfig] = vars(self).get("_keys", {})
        return keys

    def zone_file(self, key: bytes) -> str:
        """Where the zone of ``secondary`` with this key (:mod:`labnet.wire.names`) is kept."""
        return os.path.join(vars(self).get("_folder", ""), quote(text_of(key), safe="-_.*") + ".zone")

    def placed(self, folder: str, keys: Mapping[str, KeyConfig]) -> ResolverConfig:
        """A copy that has those."""
        return self.model_copy({"_folder": folder, "_keys": keys})

    @property
    def every_zone(self) -> tuple[str, ...]:
        """Those of ``zones`` and of ``secondary``."""
        return (*self.zones, *self.secondary)

    def model_check(self) -> None:
        """Whether each domain is asked in one way."""
        both = {key_of(domain) for domain in self.forward} & {key_of(domain) for domain in self.stub}
        if both:
            raise ValueError(f"has {text_of(min(both))} in both forward and stub: leave one of them out")
