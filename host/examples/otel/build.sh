#!/bin/sh
# Builds collector/collector, as builder.yaml says, of the modules that collector/go.mod and go.sum name. Needs Go 1.26.
#
# Whoever changes builder.yaml, or a dependency of the processor, runs it with `update`, which makes those two files anew.
set -eu
cd "$(dirname "$0")"
builder=go.opentelemetry.io/collector/cmd/builder@v0.165.0
if [ "${1:-}" = update ]; then
	go run $builder --config builder.yaml --skip-compilation ||
		# Tests of the collector's modules need others, which a module proxy need not have.
		(cd collector && go mod tidy -e)
fi
exec go run $builder --config builder.yaml --skip-get-modules --ldflags "-s -w"
