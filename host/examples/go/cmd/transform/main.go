// Command transform maps one payload from standard input to documents on standard output, one a line; what became of its
// records goes to standard error.
//
// Exit status: 0; 1 when it failed; 2 for wrong usage or settings; 3 when records were rejected.
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

const (
	failed   = 1
	usage    = 2
	rejected = 3
)

func main() {
	file := flag.String("component", "", "the core module, `FILE`: dist/alert.core.wasm and the like")
	feed := flag.String("feed", "", "the payload's feed; by default the component's first")
	settings := flag.String("settings", "{}", "the component's settings, a `JSON` object")
	received := flag.Int64("received-at", time.Now().UnixMilli(), "when the payload was received, `MILLISECONDS` since 1970")
	cache := flag.String("cache", "", "a `FOLDER` for machine code, so that the next run need not compile; whoever can write there runs code here")
	flag.Parse()
	if *file == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "transform -component FILE maps the payload on standard input")
		flag.PrintDefaults()
		os.Exit(usage)
	}
	ctx := context.Background()
	options := defenderbeat.Options{}
	if *cache != "" {
		var err error
		if options.Cache, err = wazero.NewCompilationCacheWithDir(*cache); err != nil {
			fail(failed, fmt.Errorf("opening the cache: %w", err))
		}
	}
	component, err := defenderbeat.CompileFile(ctx, *file, options)
	if err != nil {
		fail(failed, err)
	}
	if *feed == "" && len(component.Descriptor().Feeds) > 0 {
		*feed = component.Descriptor().Feeds[0].Name
	}
	if _, known := component.Descriptor().Feed(*feed); !known {
		fail(usage, fmt.Errorf("there is no feed %s", *feed))
	}
	receipt, err := transform(ctx, component, *settings, *feed, time.UnixMilli(*received))
	var refused *defenderbeat.SettingsError
	switch {
	case errors.As(err, &refused):
		fail(usage, refused)
	case err != nil:
		fail(failed, err)
	}
	if show(receipt) > 0 {
		os.Exit(rejected)
	}
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(status)
}

func transform(
	ctx context.Context, component *defenderbeat.Component, settings, feed string, received time.Time,
) (defenderbeat.Receipt, error) {
	pipeline, err := component.Open(ctx, settings, defenderbeat.Host{
		Write: func(part defenderbeat.Part) error {
			_, err := os.Stdout.Write(part.NDJSON)
			return err
		},
		Report: func(level defenderbeat.Level, message string) { fmt.Fprintf(os.Stderr, "%v: %s\n", level, message) },
	})
	if err != nil {
		return defenderbeat.Receipt{}, err
	}
	payload, err := io.ReadAll(os.Stdin)
	if err != nil {
		return defenderbeat.Receipt{}, fmt.Errorf("reading the payload: %w", err)
	}
	return pipeline.Push(ctx, defenderbeat.Batch{Feed: feed, ReceivedAt: received, Payloads: [][]byte{payload}})
}

// show says what became of the records, and gives how many were rejected.
func show(receipt defenderbeat.Receipt) uint32 {
	for _, reject := range receipt.Rejects {
		fmt.Fprintf(os.Stderr, "rejected: %d bytes at %d: %v: %s\n", reject.Length, reject.Offset, reject.Code, reject.Message)
	}
	for _, drift := range receipt.Drift {
		fmt.Fprintf(os.Stderr, "unknown: %s (%d)\n", drift.Name, drift.Count)
	}
	tally := receipt.Tallies[0]
	fmt.Fprintf(os.Stderr, "%d records: %d mapped, %d dropped, %d rejected; %d documents\n",
		tally.Records, tally.Mapped, tally.Dropped, tally.Rejected, tally.Documents)
	return tally.Rejected
}
