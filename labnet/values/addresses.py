"""How addresses, networks and Twisted endpoints are written in the configuration.

Each reader takes what TOML gave and raises ValueError with a sentence that says how to write it instead.
"""

from __future__ import annotations

import ipaddress
from pwd import getpwnam
from typing import Annotated, Final

from labnet.values.endpoints import tcp_address
from labnet.values.model import Model, Reads, Written
from labnet.values.texts import read_text
from labnet.wire.nat64 import problem_of

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""Who is served by default."""

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""The addresses of IPv4 inside IPv6 (RFC 4291, section 2.5.5.2)."""


class LocalUser(Model):
    """A user of this machine: ``user:NAME`` or ``user:UID``."""

    uid: int

    def __str__(self) -> str:
        return f"user:{self.uid}"


def read_port(text: str, lowest: int = 0) -> int:
    """A port number. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from {lowest} to 65535")
    return int(text)


def read_address(text: str) -> str:
    """An IP address, ``localhost`` for the first of IPv4. Raises ValueError."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if text == "localhost" else text.strip("[]"))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    if lacks_zone(address):
        raise ValueError(f"{text!r} is on every link: write it with one, as in {address}%eth0")
    return str(address)


def lacks_zone(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether ``address`` is link-local and does not say on which link, so that no socket takes it (RFC 4007)."""
    return isinstance(address, ipaddress.IPv6Address) and address.is_link_local and address.scope_id is None


def _endpoint(value: object) -> str:
    text = read_text(value)
    if text.startswith("systemd:"):
        return text  # only a process that systemd starts has such sockets
    if text.startswith("udp:"):
        raise ValueError(f"{text!r} is UDP; the command server listens on tcp:PORT, unix:PATH or systemd:…")
    try:
        read_port(str(tcp_address(text)[1]))
    except Exception as error:
        raise ValueError(f"{text!r} is no Twisted endpoint ({error}); try tcp:8080:interface=127.0.0.1") from None
    return text


def read_network(value: object) -> IPNetwork:
    if isinstance(value, IPNetwork):
        return value
    try:
        network = ipaddress.ip_network(read_text(value))
    except ValueError as error:
        raise ValueError(f"no network: {error}; write as 192.0.2.0/24") from None
    if isinstance(network, ipaddress.IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= _MAPPED.prefixlen:
        return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED.prefixlen))
    # ::/0 is how all of IPv6 is written, and nobody means the IPv4 clients by it.
    if network.prefixlen and network.supernet_of(_MAPPED):
        raise ValueError(f"{value!r} holds IPv4 addresses, which count as IPv4: write those as 192.0.2.0/24")
    return network


def _translation_prefix(value: object) -> ipaddress.IPv6Network:
    if isinstance(value, ipaddress.IPv6Network):
        return value
    try:
        network = ipaddress.IPv6Network(read_text(value))
    except ValueError as error:
        raise ValueError(f"no IPv6 network: {error}; write as 64:ff9b::/96") from None
    problem = problem_of(network)
    if problem is not None:
        raise ValueError(f"{value!r} {problem} (RFC 6052)")
    return network


def parse_network_or_user(value: object) -> IPNetwork | LocalUser:
    """Raises ValueError."""
    if isinstance(value, LocalUser):
        return value
    if not (isinstance(value, str) and value.startswith("user:")):
        return read_network(value)
    name = value.removeprefix("user:")
    if name.isascii() and name.isdigit() and len(name) <= 10:
        return LocalUser(uid=int(name))
    try:
        return LocalUser(uid=getpwnam(name).pw_uid)
    except (KeyError, ValueError):
        raise ValueError(f"there is no user {name!r} on this machine") from None


Endpoint = Annotated[str, Reads(_endpoint), Written("endpoint")]


Network = Annotated[IPNetwork, Reads(read_network), Written("network")]


NetworkOrUser = Annotated[IPNetwork | LocalUser, Reads(parse_network_or_user), Written("network or user")]


TranslationNetwork = Annotated[ipaddress.IPv6Network, Reads(_translation_prefix), Written("prefix")]
