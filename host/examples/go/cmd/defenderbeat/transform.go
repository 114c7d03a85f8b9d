package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// transform maps one payload from standard input to documents on standard output, one a line; what became of its records
// goes to standard error.
func transform(ctx context.Context, arguments []string) (int, error) {
	flags := flag.NewFlagSet("transform", flag.ContinueOnError)
	name := flags.String("feed", "", "the payload's feed; by default the component's first")
	settings := flags.String("settings", "{}", "the component's settings, a `JSON` object")
	received := flags.Int64("received-at", time.Now().UnixMilli(), "when the payload was received, `MILLISECONDS` since 1970")
	deadline := flags.Float64("deadline", 10, "what a call may take, in `SECONDS`")
	memory := flags.Uint64("memory", 512<<20, "what the component may have, in `BYTES`")
	cache := flags.String("cache", "", "a `FOLDER` for machine code, so that the next run need not compile; whoever can write there runs code here")
	given, err := parse(flags, arguments, 1)
	if err != nil {
		return misused, err
	}
	options := defenderbeat.Options{Limits: defenderbeat.Limits{
		Deadline: time.Duration(*deadline * float64(time.Second)), Memory: *memory,
	}}
	if *cache != "" {
		if options.Cache, err = wazero.NewCompilationCacheWithDir(*cache); err != nil {
			return failed, fmt.Errorf("opening the cache: %w", err)
		}
	}
	component, err := defenderbeat.CompileFile(ctx, given[0], options)
	if err != nil {
		return failed, err
	}
	if *name == "" && len(component.Descriptor().Feeds) > 0 {
		*name = component.Descriptor().Feeds[0].Name
	}
	feed, there := component.Descriptor().Feed(*name)
	if !there {
		return misused, fmt.Errorf("there is no feed %s", *name)
	}
	receipts, err := filter(ctx, component, *settings, feed, time.UnixMilli(*received))
	var refused *defenderbeat.SettingsError
	switch {
	case errors.As(err, &refused):
		return misused, refused
	case err != nil:
		return failed, err
	case show(receipts) > 0:
		return rejected, nil
	}
	return success, nil
}

func filter(
	ctx context.Context, component *defenderbeat.Component, settings string, feed defenderbeat.Feed, received time.Time,
) ([]defenderbeat.Receipt, error) {
	pipeline, err := component.Open(ctx, settings, defenderbeat.Host{
		Write: func(part defenderbeat.Part) error {
			_, err := os.Stdout.Write(part.NDJSON)
			return err
		},
		Report: func(level defenderbeat.Level, message string) { fmt.Fprintf(os.Stderr, "%v: %s\n", level, message) },
	})
	if err != nil {
		return nil, err
	}
	payload, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	receipt, err := pipeline.Push(ctx, defenderbeat.Batch{Feed: feed.Name, ReceivedAt: received, Payloads: [][]byte{payload}})
	if err != nil || feed.State != defenderbeat.StateSync {
		return []defenderbeat.Receipt{receipt}, err
	}
	// What a sync holds leaves at its end.
	end, err := pipeline.Finish(ctx)
	return []defenderbeat.Receipt{receipt, end}, err
}

// show says what became of the records, and gives how many were rejected.
func show(receipts []defenderbeat.Receipt) uint32 {
	var sum defenderbeat.Tally
	for _, receipt := range receipts {
		for _, reject := range receipt.Rejects {
			fmt.Fprintf(os.Stderr, "rejected: %d bytes at %d: %v: %s\n", reject.Length, reject.Offset, reject.Code, reject.Message)
		}
		for _, drift := range receipt.Drift {
			fmt.Fprintf(os.Stderr, "unknown: %s (%d)\n", drift.Name, drift.Count)
		}
		for _, tally := range receipt.Tallies {
			sum.Records += tally.Records
			sum.Mapped += tally.Mapped
			sum.Held += tally.Held
			sum.Dropped += tally.Dropped
			sum.Rejected += tally.Rejected
			sum.Documents += tally.Documents
		}
	}
	fmt.Fprintf(os.Stderr, "%d records: %d mapped, %d held, %d dropped, %d rejected; %d documents\n",
		sum.Records, sum.Mapped, sum.Held, sum.Dropped, sum.Rejected, sum.Documents)
	return sum.Rejected
}
