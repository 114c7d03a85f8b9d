package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// golden runs the golden cases below a folder and says which differ, in documents or in their receipt.
// testdata/README.md of defenderbeat says what a case is.
func golden(ctx context.Context, arguments []string) (int, error) {
	given, err := parse(flag.NewFlagSet("golden", flag.ContinueOnError), arguments, 2)
	if err != nil {
		return misused, err
	}
	components, folder := given[0], given[1]
	cases, err := find(folder)
	if err != nil {
		return failed, fmt.Errorf("looking for cases: %w", err)
	}
	compiled := make(map[string]*defenderbeat.Component)
	failures := 0
	for _, one := range cases {
		component := compiled[one.dataset]
		if component == nil {
			file := filepath.Join(components, one.dataset+".core.wasm")
			if component, err = defenderbeat.CompileFile(ctx, file, defenderbeat.Options{}); err != nil {
				return failed, err
			}
			compiled[one.dataset] = component
		}
		if err := one.check(ctx, component); err != nil {
			failures++
			fmt.Printf("FAILED %s: %v\n", one.path, err)
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(cases)-failures, failures)
	if failures > 0 || len(cases) == 0 {
		return failed, nil
	}
	return success, nil
}
