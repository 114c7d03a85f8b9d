package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// receivedAt is when every record of a golden case was received: 2025-01-01T00:00:00Z.
var receivedAt = time.UnixMilli(1_735_689_600_000)

var datasets = []string{"alert", "incident", "event", "vulnerability"}

// goldenCase is a file, or a folder of files `NN-<feed>.json`.
type goldenCase struct {
	path, dataset string
	// inputs in their order, each with its feed; none where it is the component's first.
	inputs []input
	// beside is what precedes the name of what belongs to the case.
	beside string
}

type input struct{ file, feed string }

var numbered = regexp.MustCompile(`^\d+-(.+)\.json$`)

// find gives the cases below a folder, sorted.
func find(folder string) (cases []goldenCase, err error) {
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, err
	}
	folders := make(map[string]int)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		parent, name := filepath.Split(path)
		if match := numbered.FindStringSubmatch(name); match != nil {
			at, begun := folders[parent]
			if !begun {
				at = len(cases)
				folders[parent] = at
				cases = append(cases, goldenCase{path: filepath.Clean(parent), beside: parent})
			}
			cases[at].inputs = append(cases[at].inputs, input{path, match[1]})
		} else if single, ok := strings.CutSuffix(path, ".ndjson"); ok && filepath.Base(path) != "expected.ndjson" && !strings.HasSuffix(single, ".expected") {
			cases = append(cases, goldenCase{path: single, beside: single + ".", inputs: []input{{file: path}}})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for at := range cases {
		if cases[at].dataset, err = dataset(cases[at].path); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// dataset is the name of the nearest folder above a case that is one of a dataset.
func dataset(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for folder := filepath.Dir(absolute); folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if name := filepath.Base(folder); slices.Contains(datasets, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s lies below no folder named for a dataset", path)
}

// made is what a component makes of a case.
type made struct {
	ndjson    []byte
	documents []defenderbeat.Document
	receipts  []defenderbeat.Receipt
}

func (g goldenCase) check(ctx context.Context, component *defenderbeat.Component) error {
	made, err := g.make(ctx, component)
	if err != nil {
		return err
	}
	wanted, err := os.ReadFile(g.beside + "expected.ndjson")
	if err != nil {
		return fmt.Errorf("`defenderbeat golden --bless` writes what is expected: %w", err)
	}
	var problems []error
	if !bytes.Equal(wanted, made.ndjson) {
		problems = append(problems, fmt.Errorf("documents differ from line %d on", differs(wanted, made.ndjson)))
	}
	same, err := g.sameReceipt(made)
	if err != nil {
		return err
	}
	if !same {
		problems = append(problems, errors.New("the receipt differs"))
	}
	return errors.Join(problems...)
}

func differs(wanted, made []byte) int {
	lines := bytes.Split(made, []byte("\n"))
	for at, line := range bytes.Split(wanted, []byte("\n")) {
		if at >= len(lines) || !bytes.Equal(line, lines[at]) {
			return at + 1
		}
	}
	return bytes.Count(wanted, []byte("\n")) + 1
}

func (g goldenCase) make(ctx context.Context, component *defenderbeat.Component) (made made, err error) {
	settings, err := optional(g.beside+"settings.json", "{}")
	if err != nil {
		return made, err
	}
	find, err := g.lookups()
	if err != nil {
		return made, err
	}
	pipeline, err := component.Open(ctx, settings, defenderbeat.Host{
		Write: func(part defenderbeat.Part) error {
			made.ndjson = append(made.ndjson, part.NDJSON...)
			made.documents = append(made.documents, part.Documents...)
			return nil
		},
		Find: find,
	})
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, pipeline.Close(ctx)) }()
	whole := false
	for _, input := range g.inputs {
		payload, err := os.ReadFile(input.file)
		if err != nil {
			return made, err
		}
		feed := input.feed
		if feed == "" {
			feed = component.Descriptor().Feeds[0].Name
		} else {
			whole = true
		}
		receipt, err := pipeline.Push(ctx, defenderbeat.Batch{Feed: feed, ReceivedAt: receivedAt, Payloads: [][]byte{payload}})
		if err != nil {
			return made, err
		}
		made.receipts = append(made.receipts, receipt)
		// What was found in a push is known in the next.
		if len(receipt.Facts) > 0 {
			if err := pipeline.Learn(ctx, receipt.Facts); err != nil {
				return made, err
			}
		}
	}
	// A case of one file is a stream that goes on; a folder is finished.
	if whole {
		receipt, err := pipeline.Finish(ctx)
		if err != nil {
			return made, err
		}
		made.receipts = append(made.receipts, receipt)
	}
	return made, nil
}

// lookups are the only answers that a case has.
func (g goldenCase) lookups() (func(kind, key string) (string, bool), error) {
	text, err := optional(g.beside+"lookups.json", "[]")
	if err != nil {
		return nil, err
	}
	var answers []struct{ Kind, Key, Fragment string }
	if err := json.Unmarshal([]byte(text), &answers); err != nil {
		return nil, fmt.Errorf("reading lookups: %w", err)
	}
	return func(kind, key string) (string, bool) {
		for _, answer := range answers {
			if answer.Kind == kind && answer.Key == key {
				return answer.Fragment, true
			}
		}
		return "", false
	}, nil
}

func optional(file, otherwise string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return otherwise, nil
	}
	return string(text), err
}

// summary is a receipt as `<case>.receipt.json` has it.
type summary struct {
	Records   uint32            `json:"records"`
	Mapped    uint32            `json:"mapped"`
	Held      uint32            `json:"held,omitempty"`
	Dropped   uint32            `json:"dropped,omitempty"`
	Rejected  uint32            `json:"rejected,omitempty"`
	Documents []string          `json:"documents"`
	Rejects   []reject          `json:"rejects,omitempty"`
	Drift     map[string]uint32 `json:"drift,omitempty"`
}

type reject struct {
	File    string `json:"file,omitempty"`
	Offset  uint64 `json:"offset"`
	Length  uint64 `json:"length"`
	ID      string `json:"id"`
	Code    string `json:"code"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func (g goldenCase) sameReceipt(made made) (bool, error) {
	text, err := os.ReadFile(g.beside + "receipt.json")
	if err != nil {
		return false, err
	}
	var wanted summary
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil {
		return false, fmt.Errorf("reading %sreceipt.json: %w", g.beside, err)
	}
	return reflect.DeepEqual(wanted, g.summary(made)), nil
}

func (g goldenCase) summary(made made) summary {
	sum := summary{Documents: []string{}}
	for at, receipt := range made.receipts {
		for _, tally := range receipt.Tallies {
			sum.Records += tally.Records
			sum.Mapped += tally.Mapped
			sum.Held += tally.Held
			sum.Dropped += tally.Dropped
			sum.Rejected += tally.Rejected
		}
		for _, found := range receipt.Rejects {
			file := ""
			if g.inputs[at].feed != "" {
				file = filepath.Base(g.inputs[at].file)
			}
			sum.Rejects = append(sum.Rejects, reject{
				file, found.Offset, found.Length, found.ID.String(), found.Code.String(), found.Path, found.Message,
			})
		}
		for _, drift := range receipt.Drift {
			if sum.Drift == nil {
				sum.Drift = make(map[string]uint32)
			}
			sum.Drift[drift.Name] += drift.Count
		}
	}
	for _, document := range made.documents {
		line := document.ID.String()
		if document.Position > 0 {
			line += " at " + instant(document.Position)
		}
		sum.Documents = append(sum.Documents, line)
	}
	return sum
}

// instant gives a position in 100 ns ticks as a time.
func instant(ticks uint64) string {
	second := time.Unix(int64(ticks/10_000_000), 0).UTC()
	return fmt.Sprintf("%s.%07dZ", second.Format("2006-01-02T15:04:05"), ticks%10_000_000)
}
