package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// size is about how many bytes a payload has.
const size = 1 << 20

// bench measures how fast a component maps: it pushes a file of records, one a line, in payloads of about 1 MiB, once to
// warm up and once measured, and prints a line of JSON. Only the pushes count.
func bench(ctx context.Context, arguments []string) (int, error) {
	given, err := parse(flag.NewFlagSet("bench", flag.ContinueOnError), arguments, 3)
	if err != nil {
		return misused, err
	}
	result, err := measure(ctx, given[0], given[1], given[2])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		return failed, err
	}
	return success, nil
}

type result struct {
	Documents int     `json:"documents"`
	Bytes     int     `json:"bytes"`
	Seconds   float64 `json:"seconds"`
}

func measure(ctx context.Context, file, feed, input string) (result, error) {
	component, err := defenderbeat.CompileFile(ctx, file, defenderbeat.Options{})
	if err != nil {
		return result{}, err
	}
	records, err := os.ReadFile(input)
	if err != nil {
		return result{}, fmt.Errorf("reading records: %w", err)
	}
	payloads := cut(records)
	var counted result
	pipeline, err := component.Open(ctx, "{}", defenderbeat.Host{Write: func(part defenderbeat.Part) error {
		counted.Documents += len(part.Documents)
		counted.Bytes += len(part.NDJSON)
		return nil
	}})
	if err != nil {
		return result{}, err
	}
	if err := pass(ctx, pipeline, feed, payloads, &counted); err != nil {
		return result{}, err
	}
	counted = result{}
	err = pass(ctx, pipeline, feed, payloads, &counted)
	return counted, err
}

func pass(ctx context.Context, pipeline *defenderbeat.Pipeline, feed string, payloads [][]byte, counted *result) error {
	received := time.UnixMilli(1_735_689_600_000)
	for _, payload := range payloads {
		began := time.Now()
		receipt, err := pipeline.Push(ctx, defenderbeat.Batch{Feed: feed, ReceivedAt: received, Payloads: [][]byte{payload}})
		counted.Seconds += time.Since(began).Seconds()
		if err != nil {
			return err
		}
		if len(receipt.Facts) > 0 {
			if err := pipeline.Learn(ctx, receipt.Facts); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut gives payloads that end with lines.
func cut(records []byte) (payloads [][]byte) {
	for len(records) > 0 {
		end := len(records)
		if end > size {
			if line := bytes.IndexByte(records[size:], '\n'); line >= 0 {
				end = size + line + 1
			}
		}
		payloads = append(payloads, records[:end])
		records = records[end:]
	}
	return payloads
}
