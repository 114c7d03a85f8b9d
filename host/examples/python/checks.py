"""Nothing that a component says is believed unchecked; each check raises `Lie`."""

from __future__ import annotations

from collections.abc import Sequence

from shapes import Lie, Part, Receipt, Tally


def part(part: Part, payloads: int, routes: int) -> None:
    """Lengths end at line feeds and add up to the part; payloads and routes are there."""
    end = 0
    for number, document in enumerate(part.documents):
        begin, end = end, end + document.length
        if part.ndjson.find(b"\n", begin) != end - 1:
            raise Lie(f"document {number} of a part does not end where its length says")
        if document.payload >= payloads:
            of = document.payload
            raise Lie(f"document {number} of a part is of payload {of}, there are {payloads}")
        if document.route >= routes:
            raise Lie(
                f"document {number} of a part has route {document.route}, there are {routes}"
            )
    if end != len(part.ndjson):
        raise Lie(
            f"documents of a part have {end} bytes together, the part has {len(part.ndjson)}"
        )


def receipt(receipt: Receipt, payloads: Sequence[bytes], written: Sequence[int]) -> None:
    """Every record of every payload has one fate; `written` are the documents of each payload."""
    if len(receipt.tallies) != len(payloads):
        raise Lie(f"{len(receipt.tallies)} tallies for {len(payloads)} payloads")
    rejected = [0] * len(payloads)
    for reject in receipt.rejects:
        if reject.payload >= len(payloads):
            raise Lie(f"a reject is of payload {reject.payload}, there are {len(payloads)}")
        if reject.offset + reject.length > len(payloads[reject.payload]):
            raise Lie(f"a reject lies outside payload {reject.payload}")
        rejected[reject.payload] += 1
    for number, tally in enumerate(receipt.tallies):
        _balance(number, tally, written[number])
        if tally.rejected != rejected[number]:
            count = rejected[number]
            raise Lie(f"payload {number} has {tally.rejected} rejected records, {count} rejects")


def finished(receipt: Receipt, written: Sequence[int]) -> None:
    """Finishing reads no records."""
    if len(receipt.tallies) != 1 or receipt.tallies[0].records or receipt.rejects:
        raise Lie("finishing read records or rejected some")
    _balance(0, receipt.tallies[0], written[0])


def _balance(number: int, tally: Tally, written: int) -> None:
    fates = tally.mapped + tally.held + tally.dropped + tally.rejected
    if fates != tally.records:
        raise Lie(f"payload {number} has {tally.records} records and {fates} fates")
    if tally.documents != written:
        said = tally.documents
        raise Lie(f"payload {number} has {said} documents in its tally, {written} were written")
    if tally.documents < tally.mapped:
        raise Lie(
            f"payload {number} has {tally.mapped} mapped records and {tally.documents} documents"
        )
