"""How the listeners of a resolver are written: ``udp:``, and those of encrypted DNS."""

from __future__ import annotations

import os
import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from labnet.values import UDPListen, parse_udp_listen, read_address, read_path, read_port, read_text, text_schema

_PARTS: Final = re.compile(r"(?<!\\):")


class TLSListen(BaseModel):
    """A TCP address of encrypted DNS, as Twisted writes endpoints.

    ``tls:PORT[:interface=ADDRESS]:certificate=FILE:key=FILE`` is DNS over TLS (RFC 7858).
    """

    model_config = ConfigDict(frozen=True)
    kind: Literal["tls"] = "tls"
    port: int
    interface: str = "127.0.0.1"
    certificate: str
    key: str

    def __str__(self) -> str:
        options = f"interface={_escaped(self.interface)}:certificate={_escaped(self.certificate)}"
        return f"{self.kind}:{self.port}:{options}:key={_escaped(self.key)}"

    @property
    def files(self) -> tuple[str, str]:
        """The paths of the certificate and of its key."""
        return self.certificate, self.key

    def below(self, folder: str) -> TLSListen:
        """It, with paths that are relative to ``folder`` made absolute."""
        paths = [os.path.abspath(os.path.join(folder, path)) for path in self.files]
        return self.model_copy(update={"certificate": paths[0], "key": paths[1]})


def parse_listener(value: object) -> UDPListen | TLSListen:
    """Raises ValueError."""
    if isinstance(value, UDPListen | TLSListen):
        return value
    scheme, *rest = (part.replace("\\:", ":") for part in _PARTS.split(read_text(value)))
    if scheme != "tls":
        return parse_udp_listen(value)
    options = dict(part.partition("=")[::2] for part in rest[1:])
    if not rest or len(options) != len(rest) - 1 or not options.keys() <= {"interface", "certificate", "key"}:
        raise ValueError(f"{value!r} is no listener of encrypted DNS: write {_form(scheme)}")
    if not (options.get("certificate") and options.get("key")):
        raise ValueError(f"{value!r} has no certificate or no key: write {_form(scheme)}; labnet cert makes both")
    return TLSListen(
        kind="tls",
        port=read_port(rest[0]),
        interface=read_address(options.get("interface", "127.0.0.1")),
        certificate=read_path(options["certificate"]),
        key=read_path(options["key"]),
    )


def _form(scheme: str) -> str:
    return f"{scheme}:PORT:interface=ADDRESS:certificate=FILE:key=FILE"


def _escaped(text: str) -> str:
    return text.replace(":", "\\:")


Listen = UDPListen | TLSListen
Listener = Annotated[Listen, BeforeValidator(parse_listener), text_schema("listener")]
