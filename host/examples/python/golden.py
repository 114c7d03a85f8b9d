"""Runs the golden cases below a folder and says which differ, in documents or in their receipt.

    python golden.py ../../../dist ../../../testdata

`testdata/README.md` of defenderbeat says what a case is; cases in the layout of elastic-package
are left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from defenderbeat import Component
from shapes import Document, Lie, Part, Receipt, SettingsError, Trap

# When every record of a golden case was received: 2025-01-01T00:00:00Z.
RECEIVED_AT = 1_735_689_600_000
NUMBERED = re.compile(r"\d+-(?P<feed>.+)\.json")


class Input(NamedTuple):
    """A payload; of the component's first feed where none is named."""

    file: Path
    feed: str | None


class Made(NamedTuple):
    """What a component makes of a case."""

    ndjson: bytes
    documents: list[Document]
    receipts: list[Receipt]


def inputs(case: Path) -> list[Input]:
    """The files of a case: one, or those of a folder, each of the feed that its name ends with."""
    if case.is_file():
        return [Input(case, None)]
    named = ((file, NUMBERED.fullmatch(file.name)) for file in sorted(case.iterdir()))
    return [Input(file, name["feed"]) for file, name in named if name]


def cases(folder: Path) -> list[Path]:
    """Files `<case>.ndjson`, and folders of `NN-<feed>.json`."""
    files = [
        file for file in folder.rglob("*.ndjson") if not file.name.endswith("expected.ndjson")
    ]
    folders = {file.parent for file in folder.rglob("*.json") if NUMBERED.fullmatch(file.name)}
    return sorted([*files, *folders])


def beside(case: Path, name: str) -> Path:
    """What belongs to a case stands beside its file, or in its folder."""
    return case / name if case.is_dir() else case.with_suffix(f".{name}")


def make(component: Component, case: Path) -> Made:
    parts: list[Part] = []
    settings = beside(case, "settings.json")
    lookups = beside(case, "lookups.json")
    answers = json.loads(lookups.read_text("utf-8")) if lookups.exists() else []
    known = {(answer["kind"], answer["key"]): answer["fragment"] for answer in answers}
    pipeline = component.open(
        settings.read_text("utf-8") if settings.exists() else "{}",
        write=parts.append,
        find=lambda kind, key: known.get((kind, key)),
    )
    receipts = []
    for file, feed in inputs(case):
        receipt = pipeline.push(
            feed or component.descriptor.feeds[0].name, [file.read_bytes()], RECEIVED_AT
        )
        # What was found in a push is known in the next.
        pipeline.learn(receipt.facts)
        receipts.append(receipt)
    # A case of one file is a stream that goes on; a folder is finished.
    if case.is_dir():
        receipts.append(pipeline.finish())
    documents = [document for part in parts for document in part.documents]
    return Made(b"".join(part.ndjson for part in parts), documents, receipts)


def instant(ticks: int) -> str:
    """A position, in 100 ns ticks, as a time."""
    seconds, rest = divmod(ticks, 10_000_000)
    time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{rest:07}Z"


def summary(case: Path, made: Made) -> dict[str, Any]:
    """The receipt as `<case>.receipt.json` has it.

    What is zero or empty is left out, but for records and mapped.
    """
    tallies = [tally for receipt in made.receipts for tally in receipt.tallies]
    total = {
        name: sum(getattr(tally, name) for tally in tallies)
        for name in ("records", "mapped", "held", "dropped", "rejected")
    }
    names = [file.name for file, feed in inputs(case) if feed]
    rejects = []
    for at, receipt in enumerate(made.receipts):
        for reject in receipt.rejects:
            rejects.append(
                {
                    **({"file": names[at]} if len(names) > 1 else {}),
                    "offset": reject.offset,
                    "length": reject.length,
                    "id": f"{reject.id:032x}",
                    "code": reject.code,
                    **({"path": reject.path} if reject.path else {}),
                    "message": reject.message,
                }
            )
    drift: Counter[str] = Counter()
    for receipt in made.receipts:
        for name, count in receipt.drift:
            drift[name] += count
    return {
        **{name: count for name, count in total.items() if count or name in ("records", "mapped")},
        "documents": [
            f"{document.id:032x} at {instant(document.position)}"
            if document.position
            else f"{document.id:032x}"
            for document in made.documents
        ],
        **({"rejects": rejects} if rejects else {}),
        **({"drift": dict(drift)} if drift else {}),
    }


def problems(component: Component, case: Path) -> list[str]:
    """How a case differs from what is expected of it, byte for byte."""
    try:
        made = make(component, case)
    except (Lie, SettingsError, Trap) as error:
        return [str(error)]
    found = []
    wanted = beside(case, "expected.ndjson").read_bytes()
    if made.ndjson != wanted:
        lines = zip(wanted.split(b"\n"), made.ndjson.split(b"\n"), strict=False)
        same = next((at for at, (left, right) in enumerate(lines) if left != right), None)
        found.append(
            f"documents differ from line {same + 1} on"
            if same is not None
            else "documents are missing"
        )
    if summary(case, made) != json.loads(beside(case, "receipt.json").read_text("utf-8")):
        found.append("the receipt differs")
    return found


def main(components: Path, folder: Path) -> int:
    loaded: dict[Path, Component] = {}
    found = cases(folder.resolve())
    failed = 0
    for case in found:
        # A case lies below a folder named for its component.
        files = (components / f"{parent.name}.wasm" for parent in case.parents)
        file = next((file for file in files if file.exists()), None)
        if file is None:
            print(f"FAILED {case}: {components} has no component for it")
            failed += 1
            continue
        if file not in loaded:
            loaded[file] = Component(file)
        differences = problems(loaded[file], case)
        if differences:
            print(f"FAILED {case}: {'; '.join(differences)}")
            failed += 1
    print(f"{len(found) - failed} passed, {failed} failed")
    return 0 if found and not failed else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: golden.py COMPONENTS FOLDER")
    sys.exit(main(*map(Path, sys.argv[1:])))
