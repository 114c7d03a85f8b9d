// Command defenderbeat runs the components of defenderbeat in Go: as a filter, on golden cases, and to measure it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// What the program ends with.
const (
	success = iota
	// failed is also that of golden cases of which some differ.
	failed
	// misused is wrong usage or settings.
	misused
	// rejected is that some records were.
	rejected
)

const usage = `usage: defenderbeat transform [OPTIONS] COMPONENT < payload > documents
       defenderbeat golden COMPONENTS TESTDATA
       defenderbeat bench COMPONENT FEED FILE

COMPONENT is a core module, such as dist/alert.core.wasm, COMPONENTS the folder of them.
`

func main() {
	status, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

func run(ctx context.Context, arguments []string) (int, error) {
	if len(arguments) == 0 {
		return misused, errors.New(usage)
	}
	command, arguments := arguments[0], arguments[1:]
	switch command {
	case "transform":
		return transform(ctx, arguments)
	case "golden":
		return golden(ctx, arguments)
	case "bench":
		return bench(ctx, arguments)
	}
	return misused, errors.New(usage)
}

// parse takes options, which flags say, and as many arguments as there have to be.
func parse(flags *flag.FlagSet, arguments []string, count int) ([]string, error) {
	flags.SetOutput(io.Discard)
	err := flags.Parse(arguments)
	if err == nil && flags.NArg() == count {
		return flags.Args(), nil
	}
	if err == nil {
		err = fmt.Errorf("%d arguments where there are to be %d", flags.NArg(), count)
	}
	flags.SetOutput(os.Stderr)
	fmt.Fprint(os.Stderr, usage)
	flags.PrintDefaults()
	return nil, err
}
