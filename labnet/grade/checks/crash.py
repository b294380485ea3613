"""What a program says of its own end."""

from __future__ import annotations

from labnet.grade.scene import Scene


def crash(scene: Scene) -> str:
    """The last line of the error stream of a program that has ended, as a cause; nothing while it runs."""
    if not scene.wait(lambda: scene.ended() is not None, 0.3):
        return ""
    said = scene.last_words()
    return f"the program has ended; {said}" if said else "the program has ended"
