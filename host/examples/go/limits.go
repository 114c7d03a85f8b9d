package defenderbeat

import "time"

// Limits are what a guest may use in one call. A guest that exceeds one is ended, and its instance is gone. A limit that
// is zero has its default.
//
// The stack has a limit too, which wazero sets: 400 MB.
type Limits struct {
	// Deadline is the time of a call, while the host's Write, Find and Report do not run. A batch of 1 MiB maps in some
	// tens of milliseconds, so the default of 10 s is met by a broken guest or an overloaded machine only.
	Deadline time.Duration
	// Memory is linear memory in bytes, in pages of 64 KiB. The default of 512 MiB holds the largest record (64 MiB)
	// several times over.
	Memory uint64
	// Part is bytes of a part; the default of 128 MiB is twice the largest record.
	Part uint32
	// Documents of a part; by default 1,048,576.
	Documents uint32
	// Messages of a call that reach Report, by default 100; the others are counted.
	Messages int
	// Message is bytes of a message, by default 4,096; the rest is cut.
	Message int
}

const page = 64 << 10

// receiptBudget is bytes of a receipt: 40 a payload, and names, paths and messages.
const receiptBudget = 16 << 20

func (l Limits) withDefaults() Limits {
	defaulted(&l.Deadline, 10*time.Second)
	defaulted(&l.Memory, 512<<20)
	defaulted(&l.Part, 128<<20)
	defaulted(&l.Documents, 1<<20)
	defaulted(&l.Messages, 100)
	defaulted(&l.Message, 4096)
	l.Memory = min(max(l.Memory, page), 4<<30)
	return l
}

func defaulted[T comparable](limit *T, value T) {
	var zero T
	if *limit == zero {
		*limit = value
	}
}

// budget is how many bytes may be copied out of the guest in one go: a part as large as allowed with its entries, or a
// receipt.
func (l Limits) budget() uint64 {
	return max(uint64(l.Part)+uint64(l.Documents)*uint64(documentLayout.size), receiptBudget)
}
