"""Who may look at the page, and do what: by address, by token, by ``Host`` and ``Origin`` (sans-IO).

The page is on loopback, where whoever uses this machine may look. On any other address a token is asked for; a cookie
remembers it. A web page of somebody else's can have a browser send requests here too: its name resolves to this address
(DNS rebinding), or it just sends them. So ``Host`` has to be a name of ours, and what changes anything has to come from
a page of this origin, with a token that only such a page can read.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from labnet.events import End

OPERATOR: Final = "operator"
VIEWER: Final = "viewer"


class Role(NamedTuple):
    """What somebody may: an operator everything; a viewer looks at, and asks, the resolver ``scope``."""

    name: str
    scope: str | None = None


_OPERATOR: Final = Role(OPERATOR)


class PageAccess:
    """The rules: ``token`` is the operator's ("" for none), ``viewers`` have theirs by the resolver that they see.

    ``hosts`` are names, beside its addresses, that the page is reached by. ``secret`` makes cookies and the page's own
    tokens, which are worth nothing once it is another one. With ``trusts_loopback`` who uses this machine is the
    operator without a token.
    """

    def __init__(
        self,
        token: str = "",
        viewers: Mapping[str, str] | None = None,
        hosts: Iterable[str] = (),
        secret: bytes | None = None,
        trusts_loopback: bool = True,
    ) -> None:
        self._tokens: dict[str, Role] = {given: Role(VIEWER, scope) for scope, given in (viewers or {}).items()}
        if token:
            self._tokens[token] = _OPERATOR
        self._trusts_loopback = trusts_loopback
        self._hosts = frozenset(host.lower() for host in hosts)
        self._secret = secrets.token_bytes(32) if secret is None else secret

    def is_ours(self, host: str, local: End) -> bool:
        """Whether ``host``, the field of a request that came to the address ``local``, names this page."""
        name = _host_in(f"//{host}") if host.isascii() and host.isprintable() else None
        if name is None:
            return False
        if name in self._hosts:
            return True
        address = _address(name)
        if address is None:
            return name == "localhost" and _is_loopback(local[0])
        return address == _address(local[0])

    def role(self, local: str, peer: str, given: Iterable[str]) -> Role | None:
        """Who ``peer`` is, that is connected to the address ``local`` and has ``given`` tokens; None for nobody."""
        for token in given:
            role = self.role_of_token(token) or self._role_of_cookie(token)
            if role is not None:
                return role
        is_here = _is_loopback(local) and _is_loopback(peer)
        return _OPERATOR if is_here and self._trusts_loopback else None

    def role_of_token(self, given: str) -> Role | None:
        """The role that the token ``given`` gives; each is compared in constant time."""
        found = None
        for token, role in self._tokens.items():
            if hmac.compare_digest(token.encode(), given.encode("utf-8", "surrogatepass")):
                found = role
        return found

    def cookie(self, role: Role) -> str:
        """What a browser that has shown its token shows from then on."""
        return self._made("cookie", role)

    def page_token(self, role: Role) -> str:
        """What a page of this origin sends with what changes anything."""
        return self._made("page", role)

    def is_page_token(self, given: str, role: Role) -> bool:
        """Whether ``given`` is that."""
        return hmac.compare_digest(self.page_token(role), given.encode("ascii", "replace").decode())

    def is_same_origin(self, host: str, origin: str | None, site: str | None) -> bool:
        """Whether a request to ``host`` is from a page of this one, by its fields Origin and Sec-Fetch-Site, if any."""
        if site is not None and site not in ("same-origin", "none"):
            return False
        return origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())

    def _role_of_cookie(self, given: str) -> Role | None:
        found = None
        for role in {_OPERATOR, *self._tokens.values()}:
            if hmac.compare_digest(self.cookie(role), given.encode("ascii", "replace").decode()):
                found = role
        return found

    def _made(self, purpose: str, role: Role) -> str:
        what = f"{purpose} {role.name} {role.scope or ''}".encode()
        return hmac.new(self._secret, what, hashlib.sha256).hexdigest()


def _host_in(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_loopback(host: str) -> bool:
    """Whether ``host`` is of this machine alone; a UNIX socket has none, and the rights of a file."""
    address = _address(host)
    return host == "" or (address is not None and address.is_loopback)
