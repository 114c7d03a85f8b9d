package defenderbeat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Pipeline is an instance of a component with settings. It is for one goroutine at a time; a host that wants more opens
// more.
type Pipeline struct {
	component *Component
	module    api.Module
	host      Host
	handles   *handles
	// rep is what the guest knows the pipeline by.
	rep   uint64
	spent bool
}

// Open opens a pipeline in a new instance. Settings are a JSON object; a [SettingsError] says what is wrong with them.
func (c *Component) Open(ctx context.Context, settings string, host Host) (*Pipeline, error) {
	if strings.TrimSpace(settings) == "" {
		settings = "{}"
	}
	pipeline := c.pipeline(host)
	refused, err := pipeline.open(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("opening a pipeline: %w", err)
	}
	if refused != nil {
		return nil, closed(refused, pipeline.Close(ctx))
	}
	return pipeline, nil
}

func (c *Component) pipeline(host Host) *Pipeline {
	return &Pipeline{component: c, host: host, handles: &handles{reps: make(map[uint32]uint32)}}
}

// Push maps a batch. When it returns, documents have left through Write, and the fate of every record is in the
// receipt. After a [TrapError] or a [LieError] what was written stands for nothing: the same batch gives the same
// documents again in a new instance.
func (p *Pipeline) Push(ctx context.Context, batch Batch) (Receipt, error) {
	if _, known := p.component.descriptor.Feed(batch.Feed); !known {
		return Receipt{}, fmt.Errorf("the component `%s` has no feed `%s`", p.component.descriptor.Name, batch.Feed)
	}
	var receipt Receipt
	err := p.call(ctx, len(batch.Payloads), func(ctx context.Context, c *call) error {
		feed, err := lowerText(ctx, p.module, batch.Feed)
		if err != nil {
			return err
		}
		payloads, err := lowerPayloads(ctx, p.module, batch.Payloads)
		if err != nil {
			return err
		}
		receipt, err = p.receipt(ctx, push, p.rep, uint64(feed), uint64(len(batch.Feed)),
			uint64(batch.ReceivedAt.UnixMilli()), uint64(payloads), uint64(len(batch.Payloads)))
		if err != nil {
			return err
		}
		return verifyReceipt(receipt, batch.Payloads, c.written)
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("mapping a batch of `%s`: %w", batch.Feed, err)
	}
	return receipt, nil
}

// Finish ends a sync or the stream: what was held leaves as documents.
func (p *Pipeline) Finish(ctx context.Context) (Receipt, error) {
	var receipt Receipt
	err := p.call(ctx, 1, func(ctx context.Context, c *call) (err error) {
		if receipt, err = p.receipt(ctx, finish, p.rep); err != nil {
			return err
		}
		return verifyFinished(receipt, c.written[0])
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("finishing: %w", err)
	}
	return receipt, nil
}

// Learn takes facts, in the order in which receipts gave them.
func (p *Pipeline) Learn(ctx context.Context, log []byte) error {
	err := p.call(ctx, 0, func(ctx context.Context, _ *call) error {
		pointer, err := lower(ctx, p.module, log, 1)
		if err != nil {
			return err
		}
		_, err = p.function(learn).Call(ctx, p.rep, uint64(pointer), uint64(len(log)))
		return err
	})
	if err != nil {
		return fmt.Errorf("learning facts: %w", err)
	}
	return nil
}

// Facts gives all that was learned, compact: it replaces the log of facts so far.
func (p *Pipeline) Facts(ctx context.Context) ([]byte, error) {
	var log []byte
	err := p.call(ctx, 0, func(ctx context.Context, c *call) error {
		return p.result(ctx, c.limits.budget(), facts, stringLayout, func(l *lifter, r record) { log = l.bytes(r, 0) }, p.rep)
	})
	if err != nil {
		return nil, fmt.Errorf("asking for facts: %w", err)
	}
	return log, nil
}

// Memory is what the instance has, in bytes. It grows only: a host opens a new instance where one has grown large.
func (p *Pipeline) Memory() uint64 {
	if p.module == nil || p.spent {
		return 0
	}
	return uint64(p.module.Memory().Size())
}

// Close gives the instance back.
func (p *Pipeline) Close(ctx context.Context) error {
	if p.spent || p.module == nil {
		return nil
	}
	p.spent = true
	return p.module.Close(ctx)
}

// open gives why settings were refused, or nothing.
func (p *Pipeline) open(ctx context.Context, settings string) (refused error, err error) {
	err = p.call(ctx, 0, func(ctx context.Context, c *call) error {
		pointer, err := lowerText(ctx, p.module, settings)
		if err != nil {
			return err
		}
		var handle uint32
		take := func(l *lifter, r record) {
			// The handle or the error is at 4.
			if l.enum(r, 0, 2) == 0 {
				handle = r.u32(4)
				return
			}
			refused = &SettingsError{Path: cut(l.text(r, 4), c.limits.Message), Message: cut(l.text(r, 12), c.limits.Message)}
		}
		if err := p.result(ctx, receiptBudget, open, openLayout, take, uint64(pointer), uint64(len(settings))); err != nil {
			return err
		}
		rep, there := p.handles.reps[handle]
		if refused == nil && !there {
			return lie("it opened pipeline %d, which it did not make", handle)
		}
		p.rep = uint64(rep)
		return nil
	})
	return refused, err
}

// describe asks a component what it is.
func (c *Component) describe(ctx context.Context) (Descriptor, error) {
	var descriptor Descriptor
	pipeline := c.pipeline(Host{})
	err := pipeline.call(ctx, 0, func(ctx context.Context, _ *call) error {
		return pipeline.result(ctx, receiptBudget, describe, describeLayout, func(l *lifter, r record) {
			descriptor = Descriptor{
				Name:       l.text(r, 0),
				Version:    l.text(r, 8),
				ECSVersion: l.text(r, 16),
				Tables:     l.text(r, 24),
				Feeds: lift(l, r, 32, feedLayout, func(feed record) Feed {
					return Feed{Name: l.text(feed, 0), Keys: l.texts(feed, 8), State: State(l.enum(feed, 16, 3))}
				}),
				Routes: l.texts(r, 40),
			}
		})
	})
	if err != nil {
		return Descriptor{}, fmt.Errorf("asking what it is: %w", err)
	}
	return descriptor, pipeline.Close(ctx)
}

func (l *lifter) texts(r record, at int) []string {
	return lift(l, r, at, stringLayout, func(text record) string { return l.text(text, 0) })
}

func (p *Pipeline) receipt(ctx context.Context, name string, arguments ...uint64) (receipt Receipt, err error) {
	limits := p.component.limits
	err = p.result(ctx, limits.budget(), name, receiptLayout, func(l *lifter, r record) {
		receipt = Receipt{
			Tallies: lift(l, r, 0, tallyLayout, func(tally record) Tally {
				return Tally{tally.u32(0), tally.u32(4), tally.u32(8), tally.u32(12), tally.u32(16), tally.u32(20), tally.u64(24)}
			}),
			Rejects: lift(l, r, 8, rejectLayout, func(reject record) Reject {
				return Reject{
					Payload: reject.u32(0),
					Offset:  reject.u64(8),
					Length:  reject.u64(16),
					ID:      reject.id(24),
					Code:    Code(l.enum(reject, 40, 2)),
					Path:    cut(l.text(reject, 44), limits.Message),
					Message: cut(l.text(reject, 52), limits.Message),
				}
			}),
			Drift: lift(l, r, 16, driftLayout, func(drift record) Drift {
				return Drift{Name: cut(l.text(drift, 0), limits.Message), Count: drift.u32(8)}
			}),
			Facts: l.bytes(r, 24),
		}
	}, arguments...)
	return receipt, err
}

// result calls a function whose result lies in memory, takes it, and gives its memory back.
func (p *Pipeline) result(
	ctx context.Context, budget uint64, name string, of layout, take func(*lifter, record), arguments ...uint64,
) error {
	results, err := p.function(name).Call(ctx, arguments...)
	if err != nil {
		return err
	}
	lifter := &lifter{memory: p.module.Memory(), budget: budget}
	take(lifter, lifter.record(uint32(results[0]), of))
	if lifter.err != nil {
		return lifter.err
	}
	_, err = p.module.ExportedFunction("cabi_post_"+p.component.prefix+name).Call(ctx, results[0])
	return err
}

func (p *Pipeline) function(name string) api.Function {
	return p.module.ExportedFunction(p.component.prefix + name)
}

// call runs one call within its limits. The first call makes the instance.
func (p *Pipeline) call(ctx context.Context, payloads int, run func(context.Context, *call) error) error {
	if p.spent {
		return ErrSpent
	}
	limits := p.component.limits
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := startClock(limits.Deadline, cancel)
	defer clock.stop()
	c := &call{
		host:    p.host,
		limits:  limits,
		routes:  len(p.component.descriptor.Routes),
		handles: p.handles,
		clock:   clock,
		written: make([]uint32, payloads),
	}
	ctx = context.WithValue(ctx, callKey{}, c)
	err := p.instantiate(ctx)
	if err == nil {
		err = run(ctx, c)
	}
	if left := c.messages - limits.Messages; left > 0 {
		c.say(LevelWarn, fmt.Sprintf("%d more messages of one call were left out", left))
	}
	if err == nil {
		return nil
	}
	return p.failed(ctx, c, err)
}

// failed gives an error as what it is, and the instance up.
func (p *Pipeline) failed(ctx context.Context, c *call, err error) error {
	trap := &TrapError{Cause: err, LastWords: c.lastWords, Memory: p.Memory()}
	switch cause := context.Cause(ctx); {
	case c.fault != nil:
		err, trap.Cause = c.fault, c.fault
	case cause != nil:
		trap.Cause = cause
	}
	// A call of which the caller has had enough ended the instance already.
	closing := p.Close(context.WithoutCancel(ctx))
	p.spent = true
	var lied *LieError
	if errors.As(err, &lied) {
		return closed(lied, closing)
	}
	return closed(trap, closing)
}

// closed joins what went wrong when something was closed to why that was done.
func closed(cause, closing error) error {
	if closing == nil {
		return cause
	}
	return errors.Join(cause, fmt.Errorf("closing it: %w", closing))
}

func (p *Pipeline) instantiate(ctx context.Context) (err error) {
	if p.module == nil {
		// Without a name there may be many. No function is run by a name that happens to mean something.
		config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
		p.module, err = p.component.runtime.InstantiateModule(ctx, p.component.compiled, config)
	}
	return err
}

// lowerPayloads puts payloads, and the list of them, into the guest's memory.
func lowerPayloads(ctx context.Context, module api.Module, payloads [][]byte) (uint32, error) {
	list := make([]byte, 0, len(payloads)*int(stringLayout.size))
	for _, payload := range payloads {
		pointer, err := lower(ctx, module, payload, byteLayout.align)
		if err != nil {
			return 0, err
		}
		list = binary.LittleEndian.AppendUint32(list, pointer)
		list = binary.LittleEndian.AppendUint32(list, uint32(len(payload)))
	}
	return lower(ctx, module, list, stringLayout.align)
}

// clock is the deadline of a call; it stands still while the host works.
type clock struct {
	timer *time.Timer
	ends  time.Time
}

func startClock(deadline time.Duration, cancel context.CancelCauseFunc) *clock {
	return &clock{
		timer: time.AfterFunc(deadline, func() { cancel(context.DeadlineExceeded) }),
		ends:  time.Now().Add(deadline),
	}
}

// pause stops the clock until what it gives is called.
func (c *clock) pause() (resume func()) {
	left := time.Until(c.ends)
	if !c.timer.Stop() {
		// The call has ended.
		return func() {}
	}
	return func() {
		c.ends = time.Now().Add(left)
		c.timer.Reset(left)
	}
}

func (c *clock) stop() { c.timer.Stop() }
