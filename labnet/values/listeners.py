"""How the listeners of a resolver are written: ``udp:``, and those of encrypted DNS."""

from __future__ import annotations

import os
import re
from typing import Annotated, Final, Literal

from labnet.values.addresses import read_address, read_port
from labnet.values.model import Model, Reads, Written
from labnet.values.texts import read_path, read_text

EncryptedKind = Literal["tls", "https", "http"]


_KINDS: Final[dict[str, EncryptedKind]] = {"tls": "tls", "https": "https", "http": "http"}


_PARTS: Final = re.compile(r"(?<!\\):")


class UDPListen(Model):
    """A UDP address to listen on, written as Twisted writes endpoints: ``udp:PORT[:interface=ADDRESS]``."""

    port: int
    interface: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"udp:{self.port}:interface={self.interface.replace(':', chr(92) + ':')}"


class TLSListen(Model):
    """A TCP address of encrypted DNS, as Twisted writes endpoints.

    ``tls:PORT[:interface=ADDRESS]:certificate=FILE:key=FILE`` is DNS over TLS (RFC 7858), ``https:`` with the same is
    DNS over HTTPS (RFC 8484), and ``http:PORT[:interface=ADDRESS]`` the latter behind a proxy that speaks TLS.
    """

    kind: EncryptedKind = "tls"
    port: int
    interface: str = "127.0.0.1"
    certificate: str = ""
    key: str = ""

    def __str__(self) -> str:
        text = f"{self.kind}:{self.port}:interface={_escaped(self.interface)}"
        files = f":certificate={_escaped(self.certificate)}:key={_escaped(self.key)}"
        return text + (files if self.certificate else "")

    @property
    def files(self) -> tuple[str, str]:
        """The paths of the certificate and of its key; empty where it has none."""
        return self.certificate, self.key

    def below(self, folder: str) -> TLSListen:
        """It, with paths that are relative to ``folder`` made absolute."""
        if not self.certificate:
            return self
        paths = [os.path.abspath(os.path.join(folder, path)) for path in self.files]
        return self.model_copy(update={"certificate": paths[0], "key": paths[1]})


def parse_udp_listen(value: object) -> UDPListen:
    """Raises ValueError."""
    if isinstance(value, UDPListen):
        return value
    scheme, *rest = (part.replace("\\:", ":") for part in re.split(r"(?<!\\):", read_text(value)))
    interface = "127.0.0.1"
    if scheme != "udp" or len(rest) not in (1, 2) or (len(rest) == 2 and not rest[1].startswith("interface=")):
        raise ValueError(f"{value!r} is no UDP listener: write udp:PORT:interface=ADDRESS")
    if len(rest) == 2:
        interface = read_address(rest[1].removeprefix("interface="))
    return UDPListen(port=read_port(rest[0]), interface=interface)


def parse_listener(value: object) -> UDPListen | TLSListen:
    """Raises ValueError."""
    if isinstance(value, UDPListen | TLSListen):
        return value
    scheme, *rest = (part.replace("\\:", ":") for part in _PARTS.split(read_text(value)))
    kind = _KINDS.get(scheme)
    if kind is None:
        return parse_udp_listen(value)
    files = () if kind == "http" else ("certificate", "key")
    form = ":".join((f"{kind}:PORT:interface=ADDRESS", *(f"{name}=FILE" for name in files)))
    options = dict(part.partition("=")[::2] for part in rest[1:])
    if not rest or len(options) != len(rest) - 1 or not options.keys() <= {"interface", *files}:
        raise ValueError(f"{value!r} is no listener of encrypted DNS: write {form}")
    if not all(options.get(name) for name in files):
        raise ValueError(f"{value!r} has no certificate or no key: write {form}; labnet cert makes both")
    return TLSListen(
        kind=kind,
        port=read_port(rest[0]),
        interface=read_address(options.get("interface", "127.0.0.1")),
        **{name: read_path(options[name]) for name in files},
    )


def _escaped(text: str) -> str:
    return text.replace(":", "\\:")


Listen = UDPListen | TLSListen


Listener = Annotated[Listen, Reads(parse_listener), Written("listener")]
