"""The steps of a decision, noted for whoever asks why an answer is what it is."""

from __future__ import annotations

from labnet.events import Step, Story
from labnet.resolver.cache.entry import Entry
from labnet.resolver.engine.flight import Flight
from labnet.resolver.records.special import ORIGIN as SPECIAL
from labnet.wire.names import text_of
from labnet.wire.types import Answer, Question, type_text


def note_own(story: Story, question: Question, own: Answer | None) -> None:
    """Note what special names and records say."""
    name, rrtype = text_of(question.key), type_text(question.rrtype)
    if own is None:
        story.step("records-silent", name=name)
    elif own.origin == SPECIAL:
        story.step("special", name=name)
    elif own.answer or own.mapping is not None:
        story.step("records", name=name, type=rrtype)
    else:
        story.step("records-say-no", name=name, type=rrtype)


def note_entry(story: Story, question: Question, entry: Entry, now: float) -> None:
    """Note that the cache has ``entry`` for ``question`` at ``now`` (epoch seconds)."""
    lifetime = entry.lifetime(now)
    if entry.is_negative:
        story.step("cache-negative", name=text_of(question.key), type=type_text(question.rrtype), **lifetime)
    else:
        story.step("cache", **lifetime)
    if entry.security:
        story.step("was-validated", result=entry.security.word)


def note_unknown(story: Story, question: Question, over: Entry | None, failed: Entry | None, now: float) -> None:
    """Note that the cache has nothing valid for ``question``: one that is ``over``, or a failure of a moment ago."""
    asked = {"name": text_of(question.key), "type": type_text(question.rrtype)}
    if over is None:
        story.step("cache-silent", **asked)
    else:
        story.step("cache-over", age=over.age(now), ttl=over.ttl, **asked)
    if failed is not None:
        story.note(failed_before(failed, now))
        for error in failed.answer.errors:
            story.step("because", why=error.text)


def failed_before(failed: Entry, now: float) -> Step:
    """That the question failed a moment before ``now`` (epoch seconds), as ``failed`` remembers, as a step."""
    return Step("failed-before", {"age": failed.age(now), "ttl": failed.ttl})


def note_joined(story: Story, flight: Flight, now: float) -> None:
    """Note that a parent is asked already: the question waits for ``flight``, unless too many do."""
    if flight.is_crowded:
        story.step("crowded")
        return
    story.step("joined", seconds=round(max(0.0, now - flight.since), 3))
    if flight.story is not None:
        story.joined_to = flight.story.id
        story.stories.append(flight.story)
