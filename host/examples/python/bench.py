"""Measures pushes of NDJSON: prints documents, their bytes, and the seconds that pushing took.

    python bench.py ../../../dist/alert.wasm alerts alerts.ndjson
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from defenderbeat import Component
from shapes import Part

# Bytes of a payload, as a collector hands them over.
PAYLOAD = 1 << 20


def payloads(ndjson: bytes) -> Iterator[bytes]:
    """About a mebibyte each, cut at line ends."""
    begin = 0
    while begin < len(ndjson):
        end = ndjson.find(b"\n", begin + PAYLOAD) + 1 or len(ndjson)
        yield ndjson[begin:end]
        begin = end


def main(component: str, feed: str, file: str) -> None:
    documents = size = 0

    def count(part: Part) -> None:
        nonlocal documents, size
        documents += len(part.documents)
        size += len(part.ndjson)

    batches = list(payloads(Path(file).read_bytes()))
    pipeline = Component(component).open("{}", count)
    # The first pass only warms up.
    for _ in range(2):
        documents = size = 0
        seconds = 0.0
        for batch in batches:
            began = time.perf_counter()
            receipt = pipeline.push(feed, [batch], received_at=0)
            seconds += time.perf_counter() - began
            pipeline.learn(receipt.facts)
    print(json.dumps({"documents": documents, "bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: bench.py COMPONENT FEED FILE")
    main(*sys.argv[1:])
