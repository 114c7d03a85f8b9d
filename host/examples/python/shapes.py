"""What goes in and out of a pipeline, as `wit/pipeline.wit` has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wasmtime.component import Record


class SettingsError(ValueError):
    """Settings were refused; `path` is the key at fault, as a JSONPath."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"settings refused at {path}: {message}")
        self.path = path
        self.message = message


class Trap(RuntimeError):
    """The component panicked, or exceeded a limit. Its instance is spent."""


class Lie(RuntimeError):
    """What the component said does not add up, and was not believed. Its instance is spent."""


class Feed(NamedTuple):
    """A kind of input."""

    name: str
    keys: list[str]
    state: str


class Descriptor(NamedTuple):
    """What a component is."""

    name: str
    version: str
    ecs_version: str
    tables: str
    feeds: list[Feed]
    routes: list[str]

    @classmethod
    def of(cls, record: Record) -> Descriptor:
        feeds = [Feed(feed.name, feed.keys, feed.state) for feed in record.feeds]
        version = getattr(record, "ecs-version")
        return cls(record.name, record.version, version, record.tables, feeds, record.routes)


class Document(NamedTuple):
    """What a host needs to deliver one document without reading it."""

    payload: int
    length: int
    route: int
    id: int
    time: int
    position: int

    @classmethod
    def of(cls, record: Record) -> Document:
        return cls(
            record.payload, record.length, record.route, _id(record), record.time, record.position
        )


class Part(NamedTuple):
    """Documents, one a line, and an entry for each of them in the same order."""

    ndjson: bytes
    documents: list[Document]


class Tally(NamedTuple):
    """What became of the records of one payload."""

    records: int
    mapped: int
    held: int
    dropped: int
    rejected: int
    documents: int
    position: int


class Reject(NamedTuple):
    """Bytes of a payload that gave no document."""

    payload: int
    offset: int
    length: int
    id: int
    code: str
    path: str
    message: str

    @classmethod
    def of(cls, record: Record) -> Reject:
        place = (record.payload, record.offset, record.length)
        return cls(*place, _id(record), record.code, record.path, record.message)


@dataclass(frozen=True)
class Receipt:
    """What became of a batch."""

    tallies: list[Tally]
    rejects: list[Reject]
    # Names that the mapping does not know, and how often each was met.
    drift: list[tuple[str, int]]
    # To be handed to `learn` of every pipeline, this one included.
    facts: bytes

    @classmethod
    def of(cls, record: Record) -> Receipt:
        return cls(
            tallies=[
                Tally(*(getattr(tally, name) for name in Tally._fields))
                for tally in record.tallies
            ],
            rejects=[Reject.of(reject) for reject in record.rejects],
            drift=[(drift.name, drift.count) for drift in record.drift],
            facts=record.facts,
        )


def _id(record: Record) -> int:
    """128 bits out of two halves."""
    return getattr(record, "id-high") << 64 | getattr(record, "id-low")
