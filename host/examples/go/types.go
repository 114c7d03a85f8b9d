package defenderbeat

import (
	"encoding/hex"
	"time"
)

// ID is an identity of 128 bits: of a document its `_id`, of a reject the hash of its bytes.
type ID [16]byte

// String gives 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// State is what a feed keeps between pushes.
type State uint8

const (
	// StateNone is nothing: instances are replaced and run side by side at will.
	StateNone State = iota
	// StateFacts are facts, which leave in receipts and take effect through [Pipeline.Learn] only.
	StateFacts
	// StateSync means that pushes build on each other until [Pipeline.Finish].
	StateSync
)

// Feed is a kind of input of a component.
type Feed struct {
	Name string
	// Keys under which an envelope keeps its records. Without any a payload is one record, whatever is in it.
	Keys  []string
	State State
}

// Descriptor is what a component says it is.
type Descriptor struct {
	Name    string
	Version string
	// ECSVersion is the version of the Elastic Common Schema that documents follow.
	ECSVersion string
	// Tables is the digest of the mapping tables, hexadecimal.
	Tables string
	Feeds  []Feed
	// Routes are data streams by dataset, such as `m365_defender.alert`.
	Routes []string
}

// Feed finds a feed by its name.
func (d Descriptor) Feed(name string) (Feed, bool) {
	for _, feed := range d.Feeds {
		if feed.Name == name {
			return feed, true
		}
	}
	return Feed{}, false
}

// Document is what it takes to deliver a document without reading it.
type Document struct {
	// Payload is the index of the payload in the batch; 0 in Finish.
	Payload uint32
	// Length in bytes, the line feed included.
	Length uint32
	// Route is an index into [Descriptor.Routes].
	Route uint32
	// ID is the document's `_id`.
	ID ID
	// Time is the document's @timestamp.
	Time time.Time
	// Position is the record's place in its source's order, in 100 ns ticks since 1970; 0 where there is none.
	Position uint64
}

// Part is documents that left together, one a line. It belongs to whoever takes it.
type Part struct {
	NDJSON    []byte
	Documents []Document
}

// Batch is payloads of one feed. A payload is complete: one record or many, in any accepted form.
type Batch struct {
	Feed string
	// ReceivedAt counts in milliseconds; what is finer is cut off.
	ReceivedAt time.Time
	Payloads   [][]byte
}

// Tally is what became of the records of one payload: Records = Mapped + Held + Dropped + Rejected.
type Tally struct {
	Records, Mapped, Held, Dropped, Rejected, Documents uint32
	// Position is the highest of all records.
	Position uint64
}

// Code is why bytes could not become a document.
type Code uint8

const (
	// Malformed is not a JSON object, or broken JSON.
	Malformed Code = iota
	// Oversized is longer than the limit of a record.
	Oversized
)

// String gives the word that logs and receipts use.
func (c Code) String() string { return word(codes[:], uint8(c)) }

var codes = [...]string{"malformed", "oversized"}

// Reject is bytes of a payload that gave no document.
type Reject struct {
	Payload uint32
	// Offset and Length say where in the payload.
	Offset, Length uint64
	ID             ID
	Code           Code
	// Path is a JSONPath; empty where it is the whole record.
	Path    string
	Message string
}

// Drift is a name that the tables do not know, and how often it was met.
type Drift struct {
	Name  string
	Count uint32
}

// Receipt is what became of a batch.
type Receipt struct {
	// Tallies are one a payload; Finish gives one without records.
	Tallies []Tally
	Rejects []Reject
	Drift   []Drift
	// Facts go to Learn of every instance, in the order in which receipts gave them.
	Facts []byte
}

// Level is how much attention a message asks for.
type Level uint8

// The levels, the gravest first.
const (
	LevelError Level = iota
	LevelWarn
	LevelInfo
	LevelDebug
)

// String gives the level's name.
func (l Level) String() string { return word(levels[:], uint8(l)) }

var levels = [...]string{"error", "warn", "info", "debug"}

func word(words []string, at uint8) string {
	if int(at) < len(words) {
		return words[at]
	}
	return "unknown"
}
