package defenderbeat

import (
	"context"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// The canonical ABI of the component model, as far as the contract needs it: a record lies in linear memory with each
// field aligned to its size, a list or a string is a pointer and a length, an enum is a byte, and of an option or a
// result the case comes first, then its payload at the next aligned place.
// https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md

// layout is how large a record is and where it may begin.
type layout struct{ size, align uint32 }

var (
	byteLayout     = layout{1, 1}
	stringLayout   = layout{8, 4}
	documentLayout = layout{48, 8}
	feedLayout     = layout{20, 4}
	describeLayout = layout{48, 4}
	openLayout     = layout{20, 4}
	receiptLayout  = layout{32, 4}
	tallyLayout    = layout{32, 8}
	rejectLayout   = layout{64, 8}
	driftLayout    = layout{12, 4}
)

// record is the bytes of one record.
type record []byte

func (r record) u8(at int) uint8   { return r[at] }
func (r record) u32(at int) uint32 { return binary.LittleEndian.Uint32(r[at:]) }
func (r record) u64(at int) uint64 { return binary.LittleEndian.Uint64(r[at:]) }

func (r record) id(high int) (id ID) {
	binary.BigEndian.PutUint64(id[:8], r.u64(high))
	binary.BigEndian.PutUint64(id[8:], r.u64(high+8))
	return id
}

// lifter takes values out of a guest's memory and believes no pointer. After the first fault, kept in err, it gives
// zero values.
type lifter struct {
	memory api.Memory
	// budget is how many bytes may still be taken: many strings may point to the same megabytes.
	budget uint64
	err    error
}

func (l *lifter) fail(format string, arguments ...any) {
	if l.err == nil {
		l.err = lie(format, arguments...)
	}
}

// list gives the bytes of count records. They are the guest's own and change when it runs.
func (l *lifter) list(pointer, count uint32, of layout) []byte {
	size := uint64(count) * uint64(of.size)
	if l.err != nil || size == 0 {
		return nil
	}
	if pointer%of.align != 0 {
		l.fail("address %#x is not a multiple of %d", pointer, of.align)
		return nil
	}
	if uint64(pointer)+size > uint64(l.memory.Size()) {
		l.fail("%d bytes at %#x are outside its memory of %d", size, pointer, l.memory.Size())
		return nil
	}
	if size > l.budget {
		l.fail("it hands out more than is allowed in one go, %d bytes over", size-l.budget)
		return nil
	}
	l.budget -= size
	bytes, _ := l.memory.Read(pointer, uint32(size))
	return bytes
}

// record gives one record; zeros after a fault.
func (l *lifter) record(pointer uint32, of layout) record {
	if bytes := l.list(pointer, 1, of); bytes != nil {
		return bytes
	}
	return make(record, of.size)
}

// bytes copies a list of bytes whose pointer is at a place of a record.
func (l *lifter) bytes(r record, at int) []byte {
	return append([]byte(nil), l.list(r.u32(at), r.u32(at+4), byteLayout)...)
}

// text copies a string whose pointer is at a place of a record.
func (l *lifter) text(r record, at int) string { return l.textAt(r.u32(at), r.u32(at+4)) }

func (l *lifter) textAt(pointer, length uint32) string {
	text := string(l.list(pointer, length, byteLayout))
	if !utf8.ValidString(text) {
		l.fail("a string is not UTF-8")
		return ""
	}
	return text
}

// enum reads a case; there are as many as said.
func (l *lifter) enum(r record, at int, cases uint8) uint8 {
	value := r.u8(at)
	if value >= cases {
		l.fail("case %d of an enum of %d", value, cases)
		return 0
	}
	return value
}

// lift gives a list of values, each of a record whose pointer is at a place of another.
func lift[T any](l *lifter, r record, at int, of layout, one func(record) T) []T {
	bytes := l.list(r.u32(at), r.u32(at+4), of)
	values := make([]T, 0, len(bytes)/int(of.size))
	for ; len(bytes) > 0 && l.err == nil; bytes = bytes[of.size:] {
		values = append(values, one(bytes[:of.size]))
	}
	return values
}

// lower puts bytes into the guest's memory, in room that the guest gives.
func lower(ctx context.Context, module api.Module, bytes []byte, align uint32) (uint32, error) {
	if uint64(len(bytes)) > uint64(^uint32(0)) {
		return 0, fmt.Errorf("%d bytes do not fit into a memory of 32 bits", len(bytes))
	}
	results, err := module.ExportedFunction("cabi_realloc").Call(ctx, 0, 0, uint64(align), uint64(len(bytes)))
	if err != nil {
		return 0, err
	}
	pointer := uint32(results[0])
	if len(bytes) > 0 && (pointer%align != 0 || !module.Memory().Write(pointer, bytes)) {
		return 0, lie("the room it gives for %d bytes, %#x, is not there", len(bytes), pointer)
	}
	return pointer, nil
}

func lowerText(ctx context.Context, module api.Module, text string) (uint32, error) {
	return lower(ctx, module, []byte(text), 1)
}
