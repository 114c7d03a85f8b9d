package defenderbeat

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// Host is what a host gives a pipeline. While its functions run, the guest's deadline stands still.
type Host struct {
	// Write takes documents as the guest makes them. Its error ends the call and the instance.
	Write func(Part) error
	// Find answers a question from the host's own data with JSON text; kind is geo, as or user-agent. The same question
	// has the same answer as long as the pipeline lives. Without it there are no answers.
	Find func(kind, key string) (fragment string, found bool)
	// Report takes a message for whoever operates the host. Without it messages are dropped.
	Report func(level Level, message string)
}

// hostFunction is a function that a guest imports.
type hostFunction struct {
	signature
	run api.GoModuleFunc
}

// imports are all functions that a guest may import.
var imports = map[string]hostFunction{
	"defenderbeat:pipeline/sink#write":                                  {signature{[]api.ValueType{i32, i32, i32, i32}, nil}, write},
	"defenderbeat:pipeline/lookup#find":                                 {signature{[]api.ValueType{i32, i32, i32, i32, i32}, nil}, find},
	"defenderbeat:pipeline/diagnostics#report":                          {signature{[]api.ValueType{i32, i32, i32}, nil}, report},
	"[export]defenderbeat:pipeline/transformer#[resource-new]pipeline":  {signature{[]api.ValueType{i32}, []api.ValueType{i32}}, resourceNew},
	"[export]defenderbeat:pipeline/transformer#[resource-rep]pipeline":  {signature{[]api.ValueType{i32}, []api.ValueType{i32}}, resourceRep},
	"[export]defenderbeat:pipeline/transformer#[resource-drop]pipeline": {signature{[]api.ValueType{i32}, nil}, resourceDrop},
}

// call is what is known of the call that runs.
type call struct {
	host    Host
	limits  Limits
	routes  int
	handles *handles
	clock   *clock
	// written are the documents written of each payload.
	written  []uint32
	messages int
	// lastWords are the last message, if it was an error and nothing else was asked of the host since.
	lastWords string
	// fault is why the host ended the call.
	fault error
}

type callKey struct{}

func running(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// end ends the call from within a host function.
func (c *call) end(fault error) {
	c.fault = fault
	panic(fault)
}

func write(ctx context.Context, module api.Module, stack []uint64) {
	c := running(ctx)
	c.lastWords = ""
	size, count := uint32(stack[1]), uint32(stack[3])
	if size > c.limits.Part {
		c.end(fmt.Errorf("a part has %d bytes, %d are allowed", size, c.limits.Part))
	}
	if count > c.limits.Documents {
		c.end(fmt.Errorf("a part has %d documents, %d are allowed", count, c.limits.Documents))
	}
	lifter := &lifter{memory: module.Memory(), budget: c.limits.budget()}
	entries := lifter.list(uint32(stack[2]), count, documentLayout)
	part := Part{
		NDJSON:    append([]byte(nil), lifter.list(uint32(stack[0]), size, byteLayout)...),
		Documents: make([]Document, 0, len(entries)/int(documentLayout.size)),
	}
	for ; len(entries) > 0; entries = entries[documentLayout.size:] {
		part.Documents = append(part.Documents, liftDocument(entries))
	}
	if lifter.err != nil {
		c.end(lifter.err)
	}
	if err := verifyPart(part, len(c.written), c.routes); err != nil {
		c.end(err)
	}
	for _, document := range part.Documents {
		c.written[document.Payload]++
	}
	if c.host.Write == nil || len(part.Documents) == 0 {
		return
	}
	defer c.clock.pause()()
	if err := c.host.Write(part); err != nil {
		c.end(fmt.Errorf("passing documents on: %w", err))
	}
}

func liftDocument(r record) Document {
	return Document{
		Payload:  r.u32(0),
		Length:   r.u32(4),
		Route:    r.u32(8),
		ID:       r.id(16),
		Time:     time.UnixMilli(int64(r.u64(32))).UTC(),
		Position: r.u64(40),
	}
}

func find(ctx context.Context, module api.Module, stack []uint64) {
	c := running(ctx)
	c.lastWords = ""
	lifter := &lifter{memory: module.Memory(), budget: receiptBudget}
	kind := lifter.textAt(uint32(stack[0]), uint32(stack[1]))
	key := lifter.textAt(uint32(stack[2]), uint32(stack[3]))
	if lifter.err != nil {
		c.end(lifter.err)
	}
	// Of the option the case is at 0, and the string's pointer and length are at 4 and 8.
	answer := make([]byte, 12)
	if fragment, found := c.find(kind, key); found {
		pointer, err := lowerText(ctx, module, fragment)
		if err != nil {
			c.end(err)
		}
		answer[0] = 1
		binary.LittleEndian.PutUint32(answer[4:], pointer)
		binary.LittleEndian.PutUint32(answer[8:], uint32(len(fragment)))
	}
	if at := uint32(stack[4]); at%4 != 0 || !module.Memory().Write(at, answer) {
		c.end(lie("an answer is to go to %#x, which is not there", at))
	}
}

func (c *call) find(kind, key string) (string, bool) {
	if c.host.Find == nil {
		return "", false
	}
	defer c.clock.pause()()
	return c.host.Find(kind, key)
}

func report(ctx context.Context, module api.Module, stack []uint64) {
	c := running(ctx)
	if grade := uint32(stack[0]); grade > uint32(LevelDebug) {
		c.end(lie("a message has level %d", grade))
	}
	level := Level(stack[0])
	// Of a message only what is shown is taken.
	length := min(uint32(stack[2]), uint32(c.limits.Message))
	lifter := &lifter{memory: module.Memory(), budget: receiptBudget}
	message := cut(string(lifter.list(uint32(stack[1]), length, byteLayout)), c.limits.Message)
	if lifter.err != nil {
		c.end(lifter.err)
	}
	c.lastWords = ""
	if level == LevelError {
		c.lastWords = message
	}
	c.messages++
	if c.messages <= c.limits.Messages {
		c.say(level, message)
	}
}

func (c *call) say(level Level, message string) {
	if c.host.Report != nil {
		defer c.clock.pause()()
		c.host.Report(level, message)
	}
}

// cut gives at most as many bytes of a text, and no half characters.
func cut(text string, length int) string {
	if len(text) > length {
		text = text[:length]
	}
	for len(text) > 0 && !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

// handles are the resources that a guest has made: what the guest calls them by handle.
type handles struct {
	reps map[uint32]uint32
	last uint32
}

// maxHandles is far more than a pipeline makes, which is one.
const maxHandles = 1024

func resourceNew(ctx context.Context, _ api.Module, stack []uint64) {
	c := running(ctx)
	if len(c.handles.reps) >= maxHandles {
		c.end(lie("it makes more than %d pipelines", maxHandles))
	}
	c.handles.last++
	c.handles.reps[c.handles.last] = uint32(stack[0])
	stack[0] = uint64(c.handles.last)
}

func resourceRep(ctx context.Context, _ api.Module, stack []uint64) {
	c := running(ctx)
	rep, there := c.handles.reps[uint32(stack[0])]
	if !there {
		c.end(lie("there is no pipeline %d", uint32(stack[0])))
	}
	stack[0] = uint64(rep)
}

func resourceDrop(ctx context.Context, _ api.Module, stack []uint64) {
	c := running(ctx)
	if _, there := c.handles.reps[uint32(stack[0])]; !there {
		c.end(lie("there is no pipeline %d to drop", uint32(stack[0])))
	}
	delete(c.handles.reps, uint32(stack[0]))
}
