package defenderbeat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// cache has the machine code of what several tests compile.
var cache = wazero.NewCompilationCache()

// component compiles one of the project's core modules. DEFENDERBEAT_COMPONENTS says where they are.
func component(t *testing.T, name string, limits Limits) *Component {
	t.Helper()
	component, err := compiled(t, name, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, component.Close(context.Background())) })
	return component
}

func compiled(t *testing.T, name string, limits Limits) (*Component, error) {
	t.Helper()
	folder := os.Getenv("DEFENDERBEAT_COMPONENTS")
	if folder == "" {
		t.Skip("DEFENDERBEAT_COMPONENTS does not say where the core modules are")
	}
	return CompileFile(context.Background(), filepath.Join(folder, name+".core.wasm"), Options{Limits: limits, Cache: cache})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostile opens a pipeline of the component that does what its records say, and gives what it writes.
func hostile(t *testing.T, limits Limits, host Host) (*Pipeline, *strings.Builder) {
	t.Helper()
	var written strings.Builder
	if host.Write == nil {
		host.Write = func(part Part) error {
			written.Write(part.NDJSON)
			return nil
		}
	}
	pipeline, err := component(t, "hostile", limits).Open(context.Background(), "{}", host)
	check(t, err)
	return pipeline, &written
}

func do(pipeline *Pipeline, records ...string) (Receipt, error) {
	batch := Batch{Feed: "records", ReceivedAt: time.UnixMilli(1)}
	for _, record := range records {
		batch.Payloads = append(batch.Payloads, []byte(record))
	}
	return pipeline.Push(context.Background(), batch)
}

func TestDocumentsLeaveWithTheirPayload(t *testing.T) {
	var documents []Document
	pipeline, _ := hostile(t, Limits{}, Host{Write: func(part Part) error {
		documents = append(documents, part.Documents...)
		return nil
	}})
	receipt, err := do(pipeline, `{"do":"position","n":5}`, `{"do":"drop"}`, "", `{"a":1}`+"\n"+`{"b":2}`)
	check(t, err)
	var payloads []uint32
	for _, document := range documents {
		payloads = append(payloads, document.Payload)
	}
	if fmt.Sprint(payloads) != "[0 3 3]" || documents[0].Position != 5 || !documents[0].Time.Equal(time.UnixMilli(1)) {
		t.Errorf("%v %+v", payloads, documents)
	}
	if receipt.Tallies[1].Dropped != 1 || receipt.Tallies[2].Records != 0 || receipt.Tallies[3].Documents != 2 {
		t.Errorf("%+v", receipt.Tallies)
	}
}

func TestRejectsSayWhereAndWhy(t *testing.T) {
	pipeline, _ := hostile(t, Limits{}, Host{})
	receipt, err := do(pipeline, "{}\n"+`{"do":"reject"}`)
	check(t, err)
	reject := receipt.Rejects[0]
	if reject.Offset != 3 || reject.Length != 15 || reject.Path != "$.do" || reject.Message != "asked to be rejected" || reject.Code.String() != "malformed" {
		t.Errorf("%+v", reject)
	}
}

func TestLookupsAreAnswered(t *testing.T) {
	pipeline, written := hostile(t, Limits{}, Host{Find: func(kind, key string) (string, bool) {
		return `{"kind":"` + kind + `"}`, key == "192.0.2.1"
	}})
	_, err := do(pipeline, `{"do":"lookup","kind":"geo","key":"192.0.2.1"}`, `{"do":"lookup","kind":"geo","key":"192.0.2.2"}`)
	check(t, err)
	if written.String() != "{\"kind\":\"geo\"}\nnull\n" {
		t.Error(written.String())
	}
}

func TestFactsAreLearnedByAnotherInstance(t *testing.T) {
	first, _ := hostile(t, Limits{}, Host{})
	receipt, err := do(first, `{"do":"fact","text":"one "}`, `{"do":"fact","text":"two"}`)
	check(t, err)
	second, written := hostile(t, Limits{}, Host{})
	check(t, second.Learn(context.Background(), receipt.Facts))
	_, err = do(second, `{"do":"recall"}`)
	check(t, err)
	facts, err := second.Facts(context.Background())
	check(t, err)
	if written.String() != "{\"learned\":\"one two\"}\n" || string(facts) != "one two" {
		t.Errorf("%q %q", written, facts)
	}
}

func TestHeldDocumentsLeaveAtTheEnd(t *testing.T) {
	pipeline, written := hostile(t, Limits{}, Host{})
	_, err := do(pipeline, `{"do":"hold"}`)
	check(t, err)
	if written.Len() > 0 {
		t.Error(written.String())
	}
	receipt, err := pipeline.Finish(context.Background())
	check(t, err)
	if written.String() != "{\"do\":\"hold\"}\n" || receipt.Tallies[0].Documents != 1 {
		t.Errorf("%q %+v", written, receipt)
	}
}

func TestOneCallHasSoManyMessages(t *testing.T) {
	var messages []string
	pipeline, _ := hostile(t, Limits{Messages: 2, Message: 3}, Host{Report: func(level Level, message string) {
		messages = append(messages, level.String()+" "+message)
	}})
	_, err := do(pipeline, `{"do":"report","n":5,"length":10}`)
	check(t, err)
	if fmt.Sprintf("%q", messages) != `["info xxx" "info xxx" "warn 3 more messages of one call were left out"]` {
		t.Errorf("%q", messages)
	}
}

// After each of these the instance is gone, and a new one is as good.
func TestATrapEndsTheInstance(t *testing.T) {
	limits := Limits{Deadline: 200 * time.Millisecond, Memory: 16 << 20, Part: 1 << 20, Documents: 100}
	for name, test := range map[string]struct{ record, says string }{
		"spin":      {`{"do":"spin"}`, "deadline exceeded"},
		"grow":      {`{"do":"grow","n":100000000}`, "KiB of memory"},
		"recurse":   {`{"do":"recurse","n":1000000000}`, "out of bounds memory access"},
		"panic":     {`{"do":"panic","text":"last words"}`, "last words"},
		"trap":      {`{"do":"trap"}`, "unreachable"},
		"part":      {`{"do":"part","n":2000000}`, "a part has 2000000 bytes, 1048576 are allowed"},
		"documents": {`{"do":"documents","n":200}`, "documents, 100 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			pipeline, written := hostile(t, limits, Host{})
			_, err := do(pipeline, test.record)
			var trap *TrapError
			if !errors.As(err, &trap) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "stack trace") {
				t.Fatalf("%v", err)
			}
			if written.Len() > 0 {
				t.Error(written.String())
			}
			if _, err := do(pipeline, "{}"); !errors.Is(err, ErrSpent) {
				t.Errorf("%v", err)
			}
			again, err := pipeline.component.Open(context.Background(), "{}", Host{})
			check(t, err)
			_, err = do(again, "{}")
			check(t, err)
		})
	}
}

func TestALieIsFound(t *testing.T) {
	for _, about := range []string{
		"length-long", "length-short", "length-shifted", "length-zero", "payload", "line-feed", "unlisted", "two-lines",
		"tally-records", "tally-documents", "tally-rejected", "tally-mapped", "tally-wrapped", "tally-more", "tally-fewer",
		"reject-payload", "reject-offset", "reject-length", "reject-wrapped",
	} {
		t.Run(about, func(t *testing.T) {
			pipeline, _ := hostile(t, Limits{}, Host{})
			_, err := do(pipeline, "{}\n"+`{"do":"lie","about":"`+about+`"}`)
			var lied *LieError
			if !errors.As(err, &lied) {
				t.Fatalf("%v", err)
			}
			if _, err := do(pipeline, "{}"); !errors.Is(err, ErrSpent) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestARouteIsOneOfTheComponent(t *testing.T) {
	pipeline, _ := hostile(t, Limits{}, Host{})
	_, err := do(pipeline, `{"do":"route"}`)
	if err == nil || !strings.Contains(err.Error(), "has route 2, there are 2") {
		t.Errorf("%v", err)
	}
}

func TestTheHostsOwnErrorIsItsOwn(t *testing.T) {
	full := errors.New("the disk is full")
	pipeline, _ := hostile(t, Limits{}, Host{Write: func(Part) error { return full }})
	if _, err := do(pipeline, "{}"); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

func TestTheDeadlineStandsStillWhileTheHostWorks(t *testing.T) {
	pipeline, _ := hostile(t, Limits{Deadline: 100 * time.Millisecond}, Host{Write: func(Part) error {
		time.Sleep(300 * time.Millisecond)
		return nil
	}})
	_, err := do(pipeline, "{}")
	check(t, err)
}

func TestACallerMayGiveUp(t *testing.T) {
	pipeline, _ := hostile(t, Limits{}, Host{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := pipeline.Push(ctx, Batch{Feed: "records", Payloads: [][]byte{[]byte(`{"do":"spin"}`)}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestSettingsAreRefusedWithTheirPlace(t *testing.T) {
	_, err := component(t, "alert", Limits{}).Open(context.Background(), `{"tag":[]}`, Host{})
	var refused *SettingsError
	if !errors.As(err, &refused) || refused.Path != "$.tag" || refused.Message == "" {
		t.Errorf("%v", err)
	}
}

func TestAFeedThatIsNotThereCostsNothing(t *testing.T) {
	pipeline, _ := hostile(t, Limits{}, Host{})
	if _, err := pipeline.Push(context.Background(), Batch{Feed: "none"}); err == nil || !strings.Contains(err.Error(), "no feed `none`") {
		t.Errorf("%v", err)
	}
	_, err := do(pipeline, "{}")
	check(t, err)
}

func TestOtherContractsAreRefused(t *testing.T) {
	for name, says := range map[string]string{
		"hostile-changed": "the type of",
		"hostile-import":  "which no pipeline needs",
	} {
		var refused *ContractError
		if _, err := compiled(t, name, Limits{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewerPatchIsWelcome(t *testing.T) {
	component(t, "hostile-patch", Limits{})
}

func TestMachineCodeIsKept(t *testing.T) {
	folder := os.Getenv("DEFENDERBEAT_COMPONENTS")
	if folder == "" {
		t.Skip("DEFENDERBEAT_COMPONENTS does not say where the core modules are")
	}
	ctx, kept := context.Background(), t.TempDir()
	for range 2 {
		cache, err := wazero.NewCompilationCacheWithDir(kept)
		check(t, err)
		component, err := CompileFile(ctx, filepath.Join(folder, "hostile.core.wasm"), Options{Cache: cache})
		check(t, err)
		pipeline, err := component.Open(ctx, "", Host{})
		check(t, err)
		_, err = do(pipeline, "{}")
		check(t, err)
		check(t, component.Close(ctx))
		check(t, cache.Close(ctx))
	}
	if files, err := filepath.Glob(kept + "/*/*"); err != nil || len(files) != 1 {
		t.Errorf("%q %v", files, err)
	}
}
