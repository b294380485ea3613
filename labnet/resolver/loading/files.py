"""Every file that the configuration of a resolver names."""

from __future__ import annotations

import os

from labnet.config.resolver import ResolverConfig
from labnet.dialects.library import find as find_dialect
from labnet.dialects.reader import DialectError
from labnet.net.kernel.memory import trim
from labnet.resolver.cache.logs import DNS_LOG_SUFFIX
from labnet.resolver.cache.tail import TailReader
from labnet.resolver.files.resolv_conf import parse_resolv_conf
from labnet.resolver.filtering.loading import read_list
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.loading.opened import OpenedFiles
from labnet.resolver.loading.reading import Reading
from labnet.resolver.loading.records import RecordsLoader
from labnet.resolver.records.occluded import occluded
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.resolver.settings import every_parent, forgeable_parents
from labnet.values.listeners import TLSListen
from labnet.wire.names import key_of

RESOLV_CONF = "/etc/resolv.conf"


def load_files(config: ResolverConfig, now: float, reading: Reading | None = None) -> Loaded:
    """Read every file that ``config`` names; ``now`` (epoch seconds) is when static records count as loaded.

    Raises :class:`ReadingEnded` where ``reading`` is cancelled or takes too long.
    """
    loader = _Loader(config, now, reading or Reading())
    loader.load()
    trim()  # what the reading took is a tenth of all, of a million records
    return loader.loaded


class _Loader:
    """Reads the files of the resolver with this ``config`` into :attr:`loaded`."""

    def __init__(self, config: ResolverConfig, now: float, reading: Reading) -> None:
        self.loaded = Loaded(Zone(ZoneData([key_of(zone) for zone in config.every_zone], now)))
        self._config = config
        self._now = now
        self._files = OpenedFiles(self.loaded, reading, TailReader(now, config.cache_bytes, reading.checkpoint))
        self._records = RecordsLoader(config, now, self._files)

    def load(self) -> None:
        """Read all of them."""
        config, data = self._config, self.loaded.zone.data
        try:
            self.loaded.dialect = find_dialect(config.dialect)
        except DialectError as error:
            self.loaded.errors += error.problems
        for file in config.records:
            self._records.load(file)
        data.unavailable = frozenset(
            key for key in map(key_of, config.secondary) if not self._records.load_secondary(key)
        )
        data.finish(config.reverse)
        self.loaded.records = data.written
        for zone, says in occluded(data):
            path = self._records.zone_files.get(zone)
            self.loaded.warnings.append(says if path is None else f"{path}: {says}")
        if config.learned is not None:
            if config.learned not in {file.path for file in config.records}:
                self._files.course_log(config.learned)
            tail = self._files.log(config.learned + DNS_LOG_SUFFIX, self._files.tail.dns)
            if tail is not None:
                self.loaded.dns_log = tail.start
        for name, table in config.block.items():
            content = b"" if table.file is None else self._files.read(table.file)
            if content is not None:
                found, problems = read_list(name, table, content, self._files.checkpoint)
                self.loaded.lists.append(found)
                self.loaded.note(table.file or name, problems)
        self.loaded.warnings += forgeable_parents(config)
        encrypted = [listen.files for listen in config.listen if isinstance(listen, TLSListen) and listen.certificate]
        for files in dict.fromkeys(encrypted):
            self._load_credentials(*files)
        if config.ca is not None:
            self._load_authorities(config.ca)
        kinds = {parent.kind for parent in every_parent(config)}
        if "root" in kinds:
            self._load_hints(config.hints)
        if config.dnssec != "off":
            self._load_anchors(config.trust_anchors)
        if "system" in kinds:
            self._load_system()

    def _load_credentials(self, certificate: str, key: str) -> None:
        from labnet.net.tls.credentials import BadCredentials, read_credentials  # few labs need TLS

        chain, secret = self._files.read(certificate), self._files.read(key)
        if chain is None or secret is None:
            return
        try:
            found = read_credentials(chain, secret)
        except BadCredentials as error:
            self.loaded.errors.append(f"{key if error.of_key else certificate}: {error}")
            return
        self.loaded.credentials[certificate, key] = found
        doubt = found.doubt(self._now)
        if doubt is not None:
            self.loaded.warnings.append(f"{certificate}: {doubt}")

    def _load_authorities(self, path: str) -> None:
        from labnet.net.tls.client import check_authorities  # few labs need TLS
        from labnet.net.tls.credentials import BadCredentials

        content = self._files.read(path)
        if content is None:
            return
        try:
            check_authorities(content)
        except BadCredentials as error:
            self.loaded.errors.append(f"{path}: {error}")
        self.loaded.ca = content

    def _load_anchors(self, path: str | None) -> None:
        from labnet.resolver.files.trust_anchors import builtin_anchors, parse_anchors  # few labs validate

        content = b"" if path is None else self._files.read(path)
        if path is None or content is None:
            self.loaded.anchors = builtin_anchors()
            return
        self.loaded.anchors = parse_anchors(content, path)
        self.loaded.note(path, self.loaded.anchors.problems)

    def _load_hints(self, path: str | None) -> None:
        from labnet.resolver.files.root_hints import builtin_hints, parse_hints  # most labs forward

        if path is None:
            self.loaded.hints = builtin_hints()
            return
        content = self._files.read(path)
        if content is not None:
            self.loaded.hints = parse_hints(content)
            self.loaded.note(path, self.loaded.hints.problems)

    def _load_system(self) -> None:
        loaded = self.loaded
        # At boot it may be a link to nowhere, or empty, until the network is there.
        content = self._files.read(RESOLV_CONF) if os.path.exists(RESOLV_CONF) else b""
        if content is not None:
            system = parse_resolv_conf(content)
            loaded.system = system.addresses
            loaded.note(RESOLV_CONF, system.problems, harmless=True)
            if not loaded.system:
                loaded.warnings.append(f"{RESOLV_CONF}: names no server, so nobody is asked until it does")
