"""The files that ``labnet init --course`` writes: a small lab in one dialect, with a session to copy."""

from __future__ import annotations

from typing import Final

from labnet.dialects.model import Dialect, Form
from labnet.dialects.template import fields_of, writer_of

PORTS: Final = (1199, 1200, 1201)
"""Where the resolvers listen: the one that clients ask, and the servers behind it."""

_OWN: Final = (("www.biu.ac.il", "1.2.3.4"), ("www.ynet.co.il", "1.2.3.5"))
_FAR: Final = (("www.google.co.il", "1.2.3.6"), ("www.example.com", "1.2.3.7"))


def files_of(dialect: Dialect) -> dict[str, str]:
    """The configuration, by its name, then the records that it names."""
    if dialect.kind == "commands":
        return {"labnet.toml": _command(dialect)}
    files = {"labnet.toml": "", "main.txt": "", "other.txt": _records(dialect, _FAR)}
    servers = [_table("main", PORTS[0], dialect, records="main.txt"), _table("other", PORTS[1], dialect, "other.txt")]
    asks = f'parents = "text:127.0.0.1:{PORTS[1]}"          # whom it asks for what it does not know\n'
    if dialect.walk == "resolver":
        # The resolver has no records of its own; it walks from the first server to the one for .com.
        servers[0] = _table("main", PORTS[0], dialect) + asks + "default_ttl = 60                         # X seconds\n"
        servers.append(_table("com", PORTS[2], dialect, records="com.txt"))
        files["other.txt"] = _records(dialect, (*_OWN, _FAR[0])) + _referral(dialect, PORTS[2])
        files["com.txt"] = _records(dialect, _FAR[1:])
        del files["main.txt"]
    elif dialect.walk == "nobody":
        servers[0] += asks + ('learned = "main.learned"\n' if dialect.keeps else "")
        files["main.txt"] = _records(dialect, _OWN)
    else:
        files["main.txt"] = _records(dialect, _OWN) + _referral(dialect, PORTS[1])
    files["labnet.toml"] = _head(dialect) + "\n".join(servers)
    return files


def session_of(dialect: Dialect) -> list[str]:
    """Commands that show the lab of :func:`files_of` at work."""
    if dialect.kind == "commands":
        command = next(iter(dialect.commands.replies)).replace("{text}", "hello")
        words = f"'{command}'" if " " in command else command
        return [f"labnet command --dialect {dialect.name} 127.0.0.1 8080 {words}"]
    names = f"{_OWN[0][0]} {_FAR[1][0]}"
    if dialect.records.like == "master":
        names = _OWN[0][0]
    port = f" --next-port {PORTS[1]}" if dialect.name == "hostname-table" else ""
    return [f"labnet resolve --dialect {dialect.name}{port} 127.0.0.1 {PORTS[0]} {names}"]


def _head(dialect: Dialect) -> str:
    lines = "".join(f"#   {role}: {line}\n" for role, line in dialect.lines.items())
    session = "".join(f"#   {line}\n" for line in session_of(dialect))
    return (
        f"# The dialect {dialect.name}: {dialect.title}.\n#\n# The course's programs are started as:\n{lines}#\n"
        f"# labnet check, labnet run, and in another terminal:\n{session}\n"
    )


def _table(name: str, port: int, dialect: Dialect, records: str = "") -> str:
    named = f'records = "{records}"\n' if records else ""
    return f'[resolver.{name}]\nlisten = "udp:{port}:interface=127.0.0.1"\n{named}dialect = "{dialect.name}"\n'


def _command(dialect: Dialect) -> str:
    session = "".join(f"#   {line}\n" for line in session_of(dialect))
    return (
        f"# The dialect {dialect.name}: {dialect.title}.\n#\n# labnet check, labnet run, and in another terminal:\n"
        f'{session}\n[command]\nlisten = "tcp:8080:interface=127.0.0.1"\ndialect = "{dialect.name}"\n'
    )


def _records(dialect: Dialect, mappings: tuple[tuple[str, str], ...]) -> str:
    forms = dialect.records
    form: Form = "{name} A {address}" if forms.like == "master" else forms.found[0]
    write = writer_of(form)
    return "".join(f"{write({'name': name, 'address': address, 'ttl': '180'})}\n" for name, address in mappings)


def _referral(dialect: Dialect, port: int) -> str:
    """The line that leads the names that end in .com, or all others, to the server on ``port``."""
    if dialect.records.like == "master":
        return ""
    form = dialect.records.referral[0]
    target = f"127.0.0.1:{port}" if dialect.walk != "client" else "localhost"
    values = {"suffix": ".com", "top": "com", "target": target}
    return writer_of(form)({name: values[name] for name in fields_of(form)}) + "\n"
