package defenderbeat

import "bytes"

// Nothing that a guest says is believed before it was checked.

// verifyPart checks that documents are lines of the part, one after the other, and that their indexes are in range.
func verifyPart(part Part, payloads, routes int) error {
	rest := part.NDJSON
	for number, document := range part.Documents {
		if document.Length == 0 || uint64(document.Length) > uint64(len(rest)) || rest[document.Length-1] != '\n' {
			return lie("document %d of a part does not end where its length says", number)
		}
		if bytes.IndexByte(rest, '\n') != int(document.Length)-1 {
			return lie("document %d of a part is more than one line", number)
		}
		if uint64(document.Payload) >= uint64(payloads) {
			return lie("document %d of a part is of payload %d, there are %d", number, document.Payload, payloads)
		}
		if uint64(document.Route) >= uint64(routes) {
			return lie("document %d of a part has route %d, there are %d", number, document.Route, routes)
		}
		rest = rest[document.Length:]
	}
	if len(rest) > 0 {
		return lie("a part has %d bytes that are of no document", len(rest))
	}
	return nil
}

// verifyReceipt checks the receipt of a push. written are the documents that were written of each payload.
func verifyReceipt(receipt Receipt, payloads [][]byte, written []uint32) error {
	if len(receipt.Tallies) != len(payloads) {
		return lie("%d tallies for %d payloads", len(receipt.Tallies), len(payloads))
	}
	rejected := make([]uint32, len(payloads))
	for _, reject := range receipt.Rejects {
		if uint64(reject.Payload) >= uint64(len(payloads)) {
			return lie("a reject is of payload %d, there are %d", reject.Payload, len(payloads))
		}
		size := uint64(len(payloads[reject.Payload]))
		if reject.Offset > size || reject.Length > size-reject.Offset {
			return lie("a reject lies outside payload %d", reject.Payload)
		}
		rejected[reject.Payload]++
	}
	for number, tally := range receipt.Tallies {
		if err := balance(number, tally, written[number]); err != nil {
			return err
		}
		if tally.Rejected != rejected[number] {
			return lie("payload %d has %d rejected records and %d rejects", number, tally.Rejected, rejected[number])
		}
	}
	return nil
}

// verifyFinished checks the receipt of finishing.
func verifyFinished(receipt Receipt, written uint32) error {
	if len(receipt.Tallies) != 1 {
		return lie("finishing gave %d tallies", len(receipt.Tallies))
	}
	if receipt.Tallies[0].Records > 0 || len(receipt.Rejects) > 0 {
		return lie("finishing read records or rejected some")
	}
	return balance(0, receipt.Tallies[0], written)
}

func balance(number int, tally Tally, written uint32) error {
	fates := uint64(tally.Mapped) + uint64(tally.Held) + uint64(tally.Dropped) + uint64(tally.Rejected)
	if fates != uint64(tally.Records) {
		return lie("payload %d has %d records and %d fates", number, tally.Records, fates)
	}
	if tally.Documents != written {
		return lie("payload %d has %d documents in its tally, %d were written", number, tally.Documents, written)
	}
	if tally.Documents < tally.Mapped {
		return lie("payload %d has %d mapped records and %d documents", number, tally.Mapped, tally.Documents)
	}
	return nil
}
