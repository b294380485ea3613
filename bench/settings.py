"""What labnet and its peers run on, as texts with places for ports and folders."""

from __future__ import annotations

LAB = """\
[lab]
state = "{folder}"
workers = {workers}
[command]
listen = "tcp:{tcp}:interface=127.0.0.1"
clients = 0
sessions_per_address = 0
deny = ["192.0.2.0/24"]
[console]
listen = "tcp:0:interface=127.0.0.1"
query_log = "queries.log"
query_sample = 0.0001
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
records = "{records}"
zones = ["lab.test"]
dialect = "{dialect}"
deny = ["192.0.2.0/24"]
rate_limit = 1e9
rate_exempt = []
"""
"""With everything on: access rules, limits, metrics, a sampled query log."""

LAB_ENCRYPTED = """\
[lab]
state = "{folder}"
[console]
listen = "tcp:0:interface=127.0.0.1"
query_log = "queries.log"
query_sample = 0.0001
[resolver.main]
listen = [
    "udp:{port}:interface=127.0.0.1",
    'tls:{tls}:certificate={certificate}:key={key}',
    'https:{https}:certificate={certificate}:key={key}',
]
records = "zone:zone"
zones = ["lab.test"]
deny = ["192.0.2.0/24"]
"""

LAB_FORWARDS = """\
[lab]
state = "{folder}"
[console]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
parents = "{parent}"
deny = ["192.0.2.0/24"]
rate_limit = 1e9
rate_exempt = []
in_flight = 10000
in_flight_per_client = 10000
"""

LAB_VALIDATES = """\
dnssec = "validate"
trust_anchors = "{anchors}"
"""

LAB_WITHOUT_CACHE = """\
packet_cache_bytes = 0
ttl_max = 0
negative_ttl_max = 0
"""

DNSMASQ_NAMES = 10_000
"""Names in its cache; it warns of more."""

UNBOUND_SERVER = """\
server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
"""
"""What all of unbound's settings begin with."""

UNBOUND_FORWARDS = (
    UNBOUND_SERVER
    + """\
  module-config: "{modules}"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  num-queries-per-thread: 10000
  outgoing-range: 20000
{cache}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{parent}
"""
)

UNBOUND_VALIDATES = """\
  trust-anchor-file: "{anchors}"
"""

UNBOUND_WITHOUT_CACHE = """\
  msg-cache-size: 0
  rrset-cache-size: 0
  cache-max-ttl: 0"""

NAMED = """\
options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  recursion no;
  minimal-responses yes;
  dnssec-validation no;
}};
controls {{ }};
zone "lab.test" {{ type primary; file "{folder}/zone"; }};
"""

UNBOUND = (
    UNBOUND_SERVER
    + """\
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  minimal-responses: yes
remote-control:
  control-enable: no
include: "{folder}/local-data"
"""
)

UNBOUND_ENCRYPTED = """\
server:
  interface: 127.0.0.1@{tls}
  interface: 127.0.0.1@{https}
  tls-port: {tls}
  https-port: {https}
  tls-service-pem: "{certificate}"
  tls-service-key: "{key}"
"""

DNSDIST = """\
setLocal("127.0.0.1:{port}")
addTLSLocal("127.0.0.1:{tls}", "{certificate}", "{key}")
addDOHLocal("127.0.0.1:{https}", "{certificate}", "{key}", "/dns-query")
newServer("127.0.0.1:{backend}"):setUp()
setSecurityPollSuffix("")
getPool(""):setCache(newPacketCache(1000000, {{maxTTL=3600}}))
setMaxTCPConnectionDuration(0)
"""
"""It has no records: unbound behind it has, and is asked once for each."""

NSD = """\
server:
  server-count: 1
  ip-address: 127.0.0.1@{port}
  do-ip6: no
  username: ""
  database: ""
  zonesdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  pidfile: ""
  logfile: "{folder}/nsd.log"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: "lab.test"
  zonefile: "zone"
"""

KNOT = """\
server:
  rundir: "{folder}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  automatic-acl: off
database:
  storage: "{folder}"
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    journal-content: none
    zonefile-load: whole
zone:
  - domain: lab.test
    file: "{folder}/zone"
"""

LAB_WALKS = """\
[lab]
state = "{folder}"
[console]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:{port}:interface=127.0.0.1"
parents = ["root"]
hints = "hints"
root_port = {tree}
deny = ["192.0.2.0/24"]
rate_limit = 1e9
rate_exempt = []
in_flight = 10000
in_flight_per_client = 10000
"""

UNBOUND_WALKS = (
    UNBOUND_SERVER
    + """\
  do-ip6: no
  module-config: "iterator"
  root-hints: "{folder}/hints"
  do-not-query-localhost: no
  num-queries-per-thread: 10000
  outgoing-range: 20000
remote-control:
  control-enable: no
"""
)
