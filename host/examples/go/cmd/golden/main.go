// Command golden runs the golden cases below a folder and says which differ, in documents or in their receipt.
// testdata/README.md of defenderbeat says what a case is.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

func main() {
	components := flag.String("components", "dist", "`FOLDER` of alert.core.wasm and the like")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: golden -components FOLDER TESTDATA")
		os.Exit(2)
	}
	failed, err := run(context.Background(), *components, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if failed {
		os.Exit(1)
	}
}

// run says whether a case failed, or none ran.
func run(ctx context.Context, components, folder string) (failed bool, err error) {
	cases, err := find(folder)
	if err != nil {
		return false, fmt.Errorf("looking for cases: %w", err)
	}
	compiled := make(map[string]*defenderbeat.Component)
	failures := 0
	for _, golden := range cases {
		component := compiled[golden.dataset]
		if component == nil {
			file := filepath.Join(components, golden.dataset+".core.wasm")
			if component, err = defenderbeat.CompileFile(ctx, file, defenderbeat.Options{}); err != nil {
				return false, err
			}
			compiled[golden.dataset] = component
		}
		if err := golden.check(ctx, component); err != nil {
			failures++
			fmt.Printf("FAILED %s: %v\n", golden.path, err)
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(cases)-failures, failures)
	return failures > 0 || len(cases) == 0, nil
}
