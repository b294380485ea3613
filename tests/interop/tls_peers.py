"""Peers that speak encrypted DNS: unbound and Stubby as forwarders over TLS, unbound as a server of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.certificates import NAME
from tests.interop.daemon import DEADLINE
from tests.interop.dns_peers import LOOPBACK, ORIGIN, ZONE, Peer, _is_free, _unbound, free_port, running
from tests.interop.peers import tool
from tests.interop.plain import Address


@contextmanager
def unbound_over_tls(folder: Path, upstream: int, authority: Path, name: str = NAME) -> Iterator[Peer]:
    """unbound that asks at the port ``upstream`` by TLS, of the server that ``authority`` calls ``name``."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    zone = f'forward-zone:\n name: "."\n forward-tls-upstream: yes\n forward-addr: {LOOPBACK}@{upstream}#{name}\n'
    command = _unbound(folder, address[1], f' tls-cert-bundle: "{authority}"\n', zone)
    with running("unbound", address, command, folder, lambda address: not _is_free(*address)) as peer:
        yield peer


@contextmanager
def stubby(folder: Path, upstream: int, authority: Path, name: str = NAME) -> Iterator[Peer]:
    """Stubby, strict: it asks at the port ``upstream`` by TLS, with padding, of the server called ``name``."""
    folder.mkdir(parents=True)
    address = (LOOPBACK, free_port())
    config = folder / "stubby.yml"
    config.write_text(
        "resolution_type: GETDNS_RESOLUTION_STUB\ndns_transport_list: [GETDNS_TRANSPORT_TLS]\n"
        "tls_authentication: GETDNS_AUTHENTICATION_REQUIRED\ntls_query_padding_blocksize: 128\n"
        f'tls_ca_file: "{authority}"\nidle_timeout: 10000\nlisten_addresses: [{LOOPBACK}@{address[1]}]\n'
        f"upstream_recursive_servers:\n  - address_data: {LOOPBACK}\n    tls_port: {upstream}\n"
        f'    tls_auth_name: "{name}"\n'
    )
    command = [tool("stubby", "stubby"), "-C", str(config), "-l"]
    with running("stubby", address, command, folder, lambda address: not _is_free(*address)) as peer:
        yield peer


@contextmanager
def unbound_encrypted(folder: Path, files: tuple[str, str]) -> Iterator[tuple[Peer, int, int]]:
    """unbound with a zone that serves DNS over TLS and over HTTPS; the ports of both."""
    folder.mkdir(parents=True)
    (folder / "zone").write_text(ZONE)
    address, tls, https = (LOOPBACK, free_port()), free_port(), free_port()
    certificate, key = files
    server = (
        f" interface: {LOOPBACK}@{tls}\n interface: {LOOPBACK}@{https}\n tls-port: {tls}\n https-port: {https}\n"
        f' tls-service-pem: "{certificate}"\n tls-service-key: "{key}"\n'
    )
    zone = f'auth-zone:\n name: {ORIGIN}\n zonefile: "{folder}/zone"\n for-downstream: no\n for-upstream: yes\n'
    command = _unbound(folder, address[1], server, zone)
    with running("unbound", address, command, folder, lambda address: not _is_free(LOOPBACK, tls)) as peer:
        yield peer, tls, https


def s_client(address: Address, authority: Path, *options: str) -> str:
    """What ``openssl s_client`` says of the handshake with the server called :data:`NAME`."""
    command = [tool("openssl", "openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}"]
    command += ["-CAfile", str(authority), "-verify_hostname", NAME, "-verify_return_error", *options]
    run = subprocess.run(command, input="", capture_output=True, text=True, timeout=DEADLINE)
    return run.stdout + run.stderr
