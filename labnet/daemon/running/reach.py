"""Whom a configuration serves where it listens: what is doubtful in that, each in a sentence."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from labnet.config.reading import Config
from labnet.config.services import CommandConfig
from labnet.net.addresses import address_text
from labnet.values.addresses import IPNetwork
from labnet.values.endpoints import tcp_address
from labnet.values.servers import KeyName


def doubts(config: Config) -> Iterator[str]:
    """Where a service listens for other machines and lets none of them in, or serves them one at a time.

    Also where a network may have zones in full and is not served.
    """
    if config.command is not None:
        tcp = (listen for listen in config.command.listen if listen.startswith("tcp"))
        at = next(_beyond(map(tcp_address, tcp)), None)
        if at is not None:
            yield from _of_command(config.command, at)
    for name, resolver in config.resolver.items():
        at = next(_beyond((listen.interface, listen.port) for listen in resolver.listen), None)
        if at is not None and _is_loopback(resolver.allow):
            yield f"resolver.{name} listens on {at}, {_ONLY_HERE}"
        for network in resolver.transfer:
            if not (isinstance(network, KeyName) or any(_meet(network, allowed) for allowed in resolver.allow)):
                yield f"resolver.{name}.transfer names {network}, which is not served: name it in `allow` too"


_ONLY_HERE = "but `allow` lets only this machine in: name the networks of its clients there"


def _of_command(command: CommandConfig, at: str) -> Iterator[str]:
    if _is_loopback(command.allow):
        yield f"command listens on {at}, {_ONLY_HERE}"
    elif command.clients == 1:
        yield (
            f"command listens on {at} and serves one client at a time, for up to {command.turn:g} s while others wait: "
            "clients = 0 serves all at once"
        )


def _beyond(addresses: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Those of ``addresses`` that other machines can reach, in text."""
    for interface, port in addresses:
        host = interface or "0.0.0.0"
        try:
            is_here = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            is_here = host == "localhost"
        if not is_here:
            yield address_text(host, port)


def _meet(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether an address is in both networks."""
    return one.network_address in other or other.network_address in one


def _is_loopback(networks: Iterable[IPNetwork]) -> bool:
    return all(network.is_loopback for network in networks)
