package defenderbeat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
)

// liar is a module that fits the contract, and whose functions give constants: room for what it is told, and addresses
// of results. Its memory is a page.
type liar struct {
	room, described, opened, pushed uint32
	// data lies at 1024.
	data []byte
}

const at = 1024

// words are 32-bit numbers in memory.
func words(numbers ...uint32) []byte {
	bytes := make([]byte, 0, 4*len(numbers))
	for _, number := range numbers {
		bytes = binary.LittleEndian.AppendUint32(bytes, number)
	}
	return bytes
}

func section(id byte, items ...[]byte) []byte {
	content := binary.AppendUvarint(nil, uint64(len(items)))
	content = append(content, bytes.Join(items, nil)...)
	return append(binary.AppendUvarint([]byte{id}, uint64(len(content))), content...)
}

func sized(content []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(content))), content...)
}

// constant is `i32.const`, whose number is signed LEB128, in five bytes.
func constant(number uint32) []byte {
	code := []byte{0x41}
	for shift := 0; shift < 28; shift += 7 {
		code = append(code, byte(number>>shift)&0x7f|0x80)
	}
	last := byte(number>>28) & 0x0f
	if int32(number) < 0 {
		last |= 0x70
	}
	return append(code, last)
}

// module gives the module's bytes.
func (l liar) module() []byte {
	const prefix = "defenderbeat:pipeline/transformer@0.1.0#"
	var types, functions, exports, bodies [][]byte
	add := func(name string, signature signature, code []byte) {
		index := byte(len(types))
		types = append(types, bytes.Join([][]byte{{0x60}, sized(signature.params), sized(signature.results)}, nil))
		functions = append(functions, []byte{index})
		exports = append(exports, append(sized([]byte(name)), 0x00, index))
		// No locals, the code, its end.
		bodies = append(bodies, sized(append(append([]byte{0}, code...), 0x0b)))
	}
	results := map[string]uint32{describe: l.described, open: l.opened, push: l.pushed}
	for name, signature := range exported {
		var code []byte
		if name != learn {
			code = constant(results[name])
			add("cabi_post_"+prefix+name, postReturn, nil)
		}
		add(prefix+name, signature, code)
	}
	add("cabi_realloc", realloc, constant(l.room))
	exports = append(exports, append(sized([]byte("memory")), 0x02, 0))
	data := bytes.Join([][]byte{{0}, constant(at), {0x0b}, sized(l.data)}, nil)
	return bytes.Join([][]byte{
		{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, types...), section(3, functions...), section(5, []byte{0, 1}), section(7, exports...),
		section(10, bodies...), section(11, data),
	}, nil)
}

func TestNoPointerIsBelieved(t *testing.T) {
	const end = page
	nothing := words(at, 0)
	// Name, version, ECS version and tables; feeds and routes follow.
	texts := bytes.Repeat(nothing, 4)
	described := func(feeds, routes []byte) liar {
		return liar{described: at, data: append(append(append([]byte{}, texts...), feeds...), routes...)}
	}
	for name, test := range map[string]struct {
		liar liar
		says string
	}{
		"a result that ends behind the memory": {liar{described: end - 44}, "outside its memory"},
		"a result at the last address":         {liar{described: math.MaxUint32 - 3}, "outside its memory"},
		"a result between two places":          {liar{described: at + 2}, "not a multiple of 4"},
		"a string that ends behind the memory": {liar{described: at, data: words(end-1, 2)}, "outside its memory"},
		"a string of 4 GiB":                    {liar{described: at, data: words(16, math.MaxUint32)}, "outside its memory"},
		"a string that is no text":             {liar{described: at, data: append(words(at+8, 1), 0xff)}, "not UTF-8"},
		"a list whose length wraps around":     {described(words(16, 1<<30), nothing), "outside its memory"},
		"a list between two places":            {described(nothing, words(at+1, 1)), "not a multiple of 4"},
		"a case that no enum has":              {described(words(at+48, 1), append(append([]byte{}, nothing...), words(at, 0, at, 0, 7)...)), "case 7 of an enum of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(context.Background(), test.liar.module(), Options{})
			var lied *LieError
			if !errors.As(err, &lied) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestManyStringsOfTheSameMegabytesAreTooMuch(t *testing.T) {
	// 1,000 routes, each of them 40 KiB of the same zeros.
	list := words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, at+48, 1000)
	list = append(list, bytes.Repeat(words(16<<10, 40<<10), 1000)...)
	_, err := Compile(context.Background(), liar{described: at, data: list}.module(), Options{})
	if err == nil || !strings.Contains(err.Error(), "more than is allowed in one go") {
		t.Errorf("%v", err)
	}
}

func TestRoomAndHandlesAreChecked(t *testing.T) {
	descriptor := words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for name, test := range map[string]struct {
		liar liar
		says string
	}{
		"room behind the memory":          {liar{room: page - 1, described: at, data: descriptor}, "is not there"},
		"a pipeline that it did not make": {liar{room: 16, described: at, opened: at, data: descriptor}, "did not make"},
		"neither a pipeline nor an error": {liar{room: 16, described: at, opened: at + 48, data: append(descriptor, words(2, 0)...)}, "case 2 of an enum of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			component, err := Compile(context.Background(), test.liar.module(), Options{})
			check(t, err)
			_, err = component.Open(context.Background(), "{}", Host{})
			var lied *LieError
			if !errors.As(err, &lied) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsNoComponentIsRefused(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"nothing":         {},
		"an empty module": {0, 'a', 's', 'm', 1, 0, 0, 0},
	} {
		if _, err := Compile(context.Background(), wasm, Options{}); err == nil {
			t.Errorf("%s was compiled", name)
		}
	}
}
