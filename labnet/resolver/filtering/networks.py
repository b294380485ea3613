"""Networks with a number each, and which is the narrowest that an address is in (sans-IO)."""

from __future__ import annotations

from labnet.values.addresses import IPNetwork


class NetworkMap:
    """Numbers by network; of two that are the same the first counts."""

    def __init__(self) -> None:
        self._numbers: dict[int, list[tuple[int, dict[int, tuple[IPNetwork, int]]]]] = {}

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def add(self, network: IPNetwork, number: int) -> None:
        """Have addresses of ``network`` lead to ``number``."""
        bits = network.max_prefixlen
        shift = bits - network.prefixlen
        by_shift = self._numbers.setdefault(bits // 8, [])
        table = next((table for known, table in by_shift if known == shift), None)
        if table is None:
            table = {}
            by_shift.append((shift, table))
            by_shift.sort(key=lambda each: each[0])
        table.setdefault(int(network.network_address) >> shift, (network, number))

    def find(self, address: bytes) -> tuple[IPNetwork, int] | None:
        """The narrowest network that ``address`` (4 or 16 bytes) is in, with its number."""
        whole = int.from_bytes(address, "big")
        for shift, table in self._numbers.get(len(address), ()):
            found = table.get(whole >> shift)
            if found is not None:
                return found
        return None
