# Everything a developer runs. `make` alone says what there is.

GUESTS := alert incident event vulnerability
HOSTILE := patch changed changed-import import
# A build server takes Cargo.lock as it is.
LOCKED := $(if $(CI),--locked)
COMPONENTS := target/components
# One profile for tools, program and tests, and all packages together, by which cargo chooses features: so wasmtime is compiled
# once, and what is tested is what runs. For a shorter way from change to test there is `cargo test` without it.
CARGO_PROFILE := --release
DEFENDERBEAT := target/release/defenderbeat
COMPONENTIZE := target/release/defenderbeat-componentize
SBOM := target/sbom/release/defenderbeat-sbom
SIMULATOR := target/release/defenderbeat-simulator
ELASTICSEARCH := target/release/defenderbeat-elasticsearch
# What the simulated tenant holds.
TENANT := --count 25 --bare-incidents 2 --events 60 --machines 10 --vulnerabilities 25 --exposed 20 --products 40

underscore = $(subst -,_,$1)

.DEFAULT_GOAL := help
.PHONY: help setup tools build sbom components reproduce static dist run demo elasticsearch playground chaos takeovers test lint bless reference bench soak fuzz docs clean

help: ## says what each target does
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## finds or installs the compilers that the build needs
	@guest/build.sh setup

tools: ## says what tests need and is missing; a build server installs it
	@host/examples/tools.sh

# The test beside the program is for its dependencies: they choose features of crates below wasmtime, which would be built once
# more for `make test`.
$(COMPONENTS)/.made: FORCE | setup
	@modules=$$(guest/build.sh modules) && \
	cargo build $(CARGO_PROFILE) $(LOCKED) --quiet --workspace --bin defenderbeat-componentize --test forms && \
	$(COMPONENTIZE) \
		--out $(COMPONENTS) $(addprefix --precompile ,$(GUESTS)) \
		$(foreach guest,$(GUESTS),$(guest)=$$modules/defenderbeat_$(call underscore,$(guest)).wasm) \
		hostile=$$modules/defenderbeat_hostile.wasm \
		$(foreach name,$(HOSTILE),hostile-$(name)=$$modules/examples/hostile_$(call underscore,$(name)).wasm)
	@touch $@

FORCE:

# Outside the workspace, see its Cargo.toml.
sbom:
	@cargo build --release $(LOCKED) --quiet --manifest-path host/sbom/Cargo.toml --target-dir target/sbom

components: $(COMPONENTS)/.made sbom ## writes the components, their core modules, WIT, bill of materials and digests to dist/
	@guest/dist.sh $(SBOM) $(GUESTS)

reproduce: components ## builds the components once more, in another folder, and compares with dist/ byte for byte
	@guest/reproduce.sh $(COMPONENTIZE) $(SBOM) $(GUESTS)

build: $(COMPONENTS)/.made ## builds target/release/defenderbeat, the simulator and what starts Elasticsearch
	@cargo build $(CARGO_PROFILE) $(LOCKED) --workspace --bin defenderbeat --bin defenderbeat-simulator --bin defenderbeat-elasticsearch --test forms

# C libraries differ in what resolves names; this one is the GNU one, whose files and DNS work without any other file.
static: TARGET = $(shell uname -m)-unknown-linux-gnu
static: $(COMPONENTS)/.made ## builds target/static/defenderbeat, which takes no library of the system; on Linux, and takes as long as a first build
	@flags=CARGO_TARGET_$$(echo $(TARGET) | tr a-z- A-Z_)_RUSTFLAGS; \
	env "$$flags=-C target-feature=+crt-static" cargo build --release $(LOCKED) --target $(TARGET) --target-dir target/static --package defenderbeat --bin defenderbeat
	@cp target/static/$(TARGET)/release/defenderbeat target/static/defenderbeat

dist: components build static ## builds all packages that this machine can into dist/, and says what it cannot
	@host/packages/dist.sh $(SBOM)

run: build ## collects alerts, incidents, events and vulnerabilities from the bundled tenant simulator and prints documents
	@rm -rf target/run
	@$(SIMULATOR) exec $(TENANT) -- $(DEFENDERBEAT) run -c host/simulator/defenderbeat.yml --once

demo: build ## collects the same into a real Elasticsearch, and shows what it holds by asking it
	@rm -rf target/demo
	@$(ELASTICSEARCH) exec -- $(SIMULATOR) exec $(TENANT) -- host/elasticsearch/demo.sh $(DEFENDERBEAT)

elasticsearch: build ## fetches a real Elasticsearch and runs it until it is interrupted
	@$(ELASTICSEARCH) serve --port 9200

playground: $(COMPONENTS)/.made ## builds the page that maps in the browser, and serves it on loopback until it is interrupted
	@docs/playground/build.sh dist/playground $(foreach guest,$(GUESTS),$(COMPONENTS)/$(guest).wasm)
	@echo "http://127.0.0.1:8000/ serves it too"
	@python3 -m http.server --bind 127.0.0.1 --directory dist/playground 8000

# Most tests wait for processes and servers, so there are more of them at a time than cores. Unit tests of the collector take three
# minutes of a core to be optimised, and half a minute where they are not; then the deepest YAML takes more stack than a test has.
# Its documentation is that of options, in YAML.
test: export RUST_TEST_THREADS ?= $(shell expr 3 \* $$(getconf _NPROCESSORS_ONLN))
test: $(COMPONENTS)/.made tools ## runs all tests
	@RUST_MIN_STACK=67108864 cargo test $(CARGO_PROFILE) $(LOCKED) --workspace --lib --config profile.release.package.defenderbeat-collector.opt-level=0
	@cargo build $(CARGO_PROFILE) $(LOCKED) --workspace --example transform
	@cargo test $(CARGO_PROFILE) $(LOCKED) --workspace --bins --test '*'
	@cargo test $(CARGO_PROFILE) $(LOCKED) --workspace --exclude defenderbeat-collector --doc
	@cargo test --release $(LOCKED) --quiet --manifest-path host/sbom/Cargo.toml --target-dir target/sbom

chaos: $(COMPONENTS)/.made ## kills the program 200 times while some 216,000 documents, 140,000 of them events, flow into a real Elasticsearch; takes about 20 minutes
	@CHAOS_KILLS=200 cargo test $(CARGO_PROFILE) $(LOCKED) --workspace --test elasticsearch killed_again -- --nocapture

takeovers: $(COMPONENTS)/.made ## kills or pauses the leading of two programs 50 times while some 110,000 documents flow into a real Elasticsearch; takes about 25 minutes
	@CHAOS_TAKEOVERS=50 cargo test $(CARGO_PROFILE) $(LOCKED) --workspace --test elasticsearch leaders_are_killed -- --nocapture

# Documentation of examples too: it takes the features of dependencies that clippy took then, so that they are checked once.
lint: $(COMPONENTS)/.made ## checks format, lints, documentation and licences
	cargo fmt --all --check
	cargo fmt --manifest-path host/sbom/Cargo.toml --check
	cargo clippy $(CARGO_PROFILE) $(LOCKED) --workspace --all-targets -- -D warnings
	cargo clippy --release $(LOCKED) --quiet --manifest-path host/sbom/Cargo.toml --target-dir target/sbom --all-targets -- -D warnings
	guest/build.sh lint
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_PROFILE) $(LOCKED) --workspace --no-deps --quiet --lib --bins --examples
	@if ! cargo deny --version >/dev/null 2>&1; then \
		echo "cargo-deny is not installed: licences are not checked (cargo install cargo-deny --locked)"; \
	elif cargo deny --locked fetch db >/dev/null 2>&1; then cargo deny --locked check --hide-inclusion-graph; \
	else echo "the advisory database cannot be fetched: advisories are not checked"; \
		cargo deny --locked check --hide-inclusion-graph licenses bans sources; fi

reference: build ## writes docs/reference, the fields of documents, and docs/metrics.md anew
	@mkdir -p docs/reference
	@for dataset in $(GUESTS); do $(DEFENDERBEAT) docs fields $$dataset > docs/reference/$$dataset.md; done
	@$(DEFENDERBEAT) docs metrics > docs/metrics.md

bless: reference ## writes the expectations of golden cases, the references of fields and options, and fuel figures anew
	@$(DEFENDERBEAT) golden --bless testdata
	@BLESS=1 cargo test $(CARGO_PROFILE) $(LOCKED) --quiet --workspace --test reference --test fuel

# Tests of the examples make the hosts ready that are measured.
bench: build ## measures mapping, native, sandboxed, in VRL and in other hosts, the start of a process, and delivery to Elasticsearch
	@cargo build --release $(LOCKED) --quiet --manifest-path host/baseline/Cargo.toml --target-dir target/baseline
	@cargo build $(CARGO_PROFILE) $(LOCKED) --quiet --workspace --bin defenderbeat-example --test forms
	@cargo test $(CARGO_PROFILE) $(LOCKED) --quiet --workspace --test examples
	@cargo bench $(LOCKED) --quiet --workspace --bench mapping --bench hosts --bench elasticsearch

soak: build ## collects all streams at 2,000 records a second for SOAK_MINUTES, 60, by two processes that are disturbed and reload; fails where something grows or is lost
	@cargo bench $(LOCKED) --quiet --workspace --bench soak

fuzz: ## runs each fuzz target for a minute
	@fuzz/run.sh

docs: $(COMPONENTS)/.made ## builds the documentation of the crates
	@cargo doc $(CARGO_PROFILE) $(LOCKED) --workspace --no-deps

clean: ## removes what was built
	@cargo clean
	@rm -rf dist
