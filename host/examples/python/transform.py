"""Maps one payload from stdin to documents on stdout; what became of its records goes to stderr.

Exit status: 0; 1 when it failed; 2 for wrong usage or settings; 3 when records were rejected.
"""

from __future__ import annotations

import argparse
import os
import sys

from defenderbeat import Component, Limits
from shapes import Lie, Receipt, SettingsError, Tally, Trap


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("component", help="such as dist/alert.wasm")
    parser.add_argument(
        "--feed", help="what the payload is; the component's first feed by default"
    )
    parser.add_argument("--settings", default="{}", metavar="JSON")
    parser.add_argument("--received-at", type=int, metavar="MILLIS", help="now by default")
    parser.add_argument("--deadline", type=float, default=Limits.deadline, metavar="SECONDS")
    parser.add_argument("--memory", type=int, default=Limits.memory, metavar="BYTES")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    component = Component(options.component)
    feed = options.feed or component.descriptor.feeds[0].name
    if not any(known.name == feed for known in component.descriptor.feeds):
        print(f"there is no feed {feed}", file=sys.stderr)
        return 2
    limits = Limits(deadline=options.deadline, memory=options.memory)
    try:
        pipeline = component.open(
            options.settings, lambda part: sys.stdout.buffer.write(part.ndjson), limits=limits
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    # What a feed of a sync holds leaves when it is finished.
    receipts = [
        pipeline.push(feed, [sys.stdin.buffer.read()], options.received_at),
        pipeline.finish(),
    ]
    sys.stdout.buffer.flush()
    return report(receipts)


def report(receipts: list[Receipt]) -> int:
    """Says what became of all records; gives the exit status."""
    total = dict.fromkeys(Tally._fields, 0)
    for receipt in receipts:
        for reject in receipt.rejects:
            place = f"{reject.length} bytes at {reject.offset}"
            print(f"rejected: {place}: {reject.code}: {reject.message}", file=sys.stderr)
        for name, count in receipt.drift:
            print(f"unknown: {name} ({count})", file=sys.stderr)
        for tally in receipt.tallies:
            for name, count in tally._asdict().items():
                total[name] += count
    print(
        "{records} records: {mapped} mapped, {held} held, {dropped} dropped, {rejected} rejected; "
        "{documents} documents".format(**total),
        file=sys.stderr,
    )
    return 3 if total["rejected"] else 0


if __name__ == "__main__":
    try:
        status = main()
    except BrokenPipeError:
        # Whoever reads has enough; nothing is left to be flushed to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except (Trap, Lie, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)
