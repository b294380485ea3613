"""The check of own.toml that labnet does not have."""

from labnet.grade.checks.command import ask, greeted, serve
from labnet.grade.model import Failed


def help(scene):
    client = greeted(scene, serve(scene))
    reply = ask(scene, client, b"HELP")
    if b"TIME" not in reply or b"EXIT" not in reply:
        raise Failed("the reply to HELP does not name TIME and EXIT", got=reply)
