package defenderbeatprocessor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// mapper maps payloads of one feed and outlives its instances: after a trap it opens a new one, which learns what the
// old one had learned.
type mapper struct {
	component *defenderbeat.Component
	feed      string
	settings  string
	memory    uint64
	report    func(defenderbeat.Level, string)

	pipeline *defenderbeat.Pipeline
	// born is the memory that the instance began with.
	born uint64
	// learned is the log of facts, compact now and then.
	learned   []byte
	compactAt int
	// told are unknown names that were reported.
	told map[string]bool
	// parts are what the push that runs has written.
	parts []defenderbeat.Part
}

// factsLog is how long a log of facts becomes before it is made compact.
const factsLog = 1 << 20

// outcome is what became of one payload.
type outcome struct {
	documents []document
	rejects   []reject
	tally     defenderbeat.Tally
	trapped   bool
}

type document struct {
	defenderbeat.Document
	// text has no line feed.
	text []byte
}

// reject is bytes of a payload that gave no document.
type reject struct {
	bytes []byte
	// whole says that these are all there is in the payload.
	whole bool
	// id is empty where the component ended before it could say.
	id, code, path, message string
}

// push maps payloads together; where that ends in a trap or a lie each by itself, and those at fault are rejected. It fails
// only where the caller has had enough, or no instance can be opened.
func (m *mapper) push(ctx context.Context, received time.Time, payloads [][]byte) ([]outcome, error) {
	outcomes, drift, err := m.attempt(ctx, received, payloads)
	switch {
	case err == nil:
		m.age(ctx)
		m.tell(drift)
		return outcomes, nil
	case ctx.Err() != nil || !ended(err):
		return nil, err
	case len(payloads) == 1:
		return []outcome{trapped(payloads[0], err)}, nil
	}
	outcomes = nil
	for _, payload := range payloads {
		one, err := m.push(ctx, received, [][]byte{payload})
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, one...)
	}
	return outcomes, nil
}

// maxTold is how many unknown names are reported.
const maxTold = 1000

// tell reports each name that the mapping does not know once.
func (m *mapper) tell(drift []defenderbeat.Drift) {
	for _, unknown := range drift {
		if !m.told[unknown.Name] && len(m.told) < maxTold {
			m.told[unknown.Name] = true
			m.report(defenderbeat.LevelInfo, "the mapping does not know "+unknown.Name)
		}
	}
}

// ended says whether the component is at fault.
func ended(err error) bool {
	var trap *defenderbeat.TrapError
	var lied *defenderbeat.LieError
	return errors.As(err, &trap) || errors.As(err, &lied)
}

func trapped(payload []byte, err error) outcome {
	code := "trap"
	var lied *defenderbeat.LieError
	switch {
	case errors.As(err, &lied):
		code = "lie"
	case errors.Is(err, context.DeadlineExceeded):
		code = "deadline"
	}
	return outcome{
		rejects: []reject{{bytes: payload, whole: true, code: code, message: err.Error()}},
		tally:   defenderbeat.Tally{Records: 1, Rejected: 1},
		trapped: true,
	}
}

func (m *mapper) attempt(
	ctx context.Context, received time.Time, payloads [][]byte,
) ([]outcome, []defenderbeat.Drift, error) {
	if err := m.open(ctx); err != nil {
		return nil, nil, err
	}
	m.parts = nil
	receipt, err := m.pipeline.Push(ctx, defenderbeat.Batch{Feed: m.feed, ReceivedAt: received, Payloads: payloads})
	if err != nil {
		m.pipeline = nil
		return nil, nil, err
	}
	outcomes := make([]outcome, len(payloads))
	for at := range outcomes {
		outcomes[at].tally = receipt.Tallies[at]
	}
	for _, part := range m.parts {
		rest := part.NDJSON
		for _, entry := range part.Documents {
			to := &outcomes[entry.Payload]
			to.documents = append(to.documents, document{entry, rest[:entry.Length-1]})
			rest = rest[entry.Length:]
		}
	}
	for _, found := range receipt.Rejects {
		payload := payloads[found.Payload]
		bytes := payload[found.Offset : found.Offset+found.Length]
		to := &outcomes[found.Payload]
		to.rejects = append(to.rejects, reject{
			bytes: bytes, whole: isWhole(bytes, payload),
			id: found.ID.String(), code: found.Code.String(), path: found.Path, message: found.Message,
		})
	}
	m.learn(ctx, receipt.Facts)
	return outcomes, receipt.Drift, nil
}

func isWhole(part, payload []byte) bool {
	return len(bytes.TrimSpace(part)) == len(bytes.TrimSpace(payload))
}

// open makes an instance where there is none.
func (m *mapper) open(ctx context.Context) error {
	if m.pipeline != nil {
		return nil
	}
	write := func(part defenderbeat.Part) error {
		m.parts = append(m.parts, part)
		return nil
	}
	pipeline, err := m.component.Open(ctx, m.settings, defenderbeat.Host{Write: write, Report: m.report})
	if err != nil {
		return err
	}
	m.pipeline = pipeline
	if len(m.learned) > 0 {
		if err := pipeline.Learn(ctx, m.learned); err != nil {
			return m.forget(ctx, err)
		}
	}
	m.born = pipeline.Memory()
	return nil
}

// forget gives facts up that make the component trap: they are a cache, without which some enrichment is missing.
func (m *mapper) forget(ctx context.Context, err error) error {
	m.pipeline = nil
	if ctx.Err() != nil {
		return err
	}
	m.report(defenderbeat.LevelWarn, fmt.Sprintf("%d bytes of facts are forgotten: %v", len(m.learned), err))
	m.learned = nil
	return m.open(ctx)
}

// learn keeps facts and lets the instance know them. A failure costs the instance, not the documents: the next one learns
// them, or does without.
func (m *mapper) learn(ctx context.Context, facts []byte) {
	if len(facts) == 0 {
		return
	}
	m.learned = append(m.learned, facts...)
	if err := m.pipeline.Learn(ctx, facts); err != nil {
		m.pipeline = nil
		return
	}
	if len(m.learned) < max(m.compactAt, factsLog) {
		return
	}
	compact, err := m.pipeline.Facts(ctx)
	if err != nil {
		m.pipeline = nil
		return
	}
	m.learned, m.compactAt = compact, 2*len(compact)
}

// age gives an instance up that has grown to more than half of what it may have. One that needs so much from the
// beginning may grow by a quarter: a new one would be as large.
func (m *mapper) age(ctx context.Context) {
	if m.pipeline != nil && m.pipeline.Memory() > max(m.born+m.memory/4, m.memory/2) {
		m.close(ctx)
	}
}

func (m *mapper) close(ctx context.Context) {
	if m.pipeline == nil {
		return
	}
	if err := m.pipeline.Close(ctx); err != nil {
		m.report(defenderbeat.LevelWarn, fmt.Sprintf("closing an instance: %v", err))
	}
	m.pipeline = nil
}
