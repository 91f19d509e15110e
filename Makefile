.DEFAULT_GOAL := help
.PHONY: help check check-browser fmt audit attack-schema fuzz faults bundle image bench bench-cold bench-keys bench-storage

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

check: ## run everything that CI runs, and print the duration of each step
	@ci/check

check-browser: ## test the console in a real browser (needs chromium; installs it for root)
	@ci/check-browser

fmt: ## format the Rust code
	cargo fmt --all

audit: ## search the dependencies for known vulnerabilities; fails if a database is unreachable
	@ci/install
	@ci/audit --insist

attack-schema: ## compare a release server with its own description, by some hundred thousand generated requests
	@ci/install
	cargo build --release --locked --bin bespoke
	attack/schema

fuzz: ## fuzz each parser of untrusted input for ten minutes
	@fuzz/run

faults: ## test a release server under faults: kills, a full disk, a failing bucket, clocks, crowds, guesses, a shared bucket (40 minutes)
	@ci/install
	cargo build --release --locked --bin bespoke
	attack/faults

bundle: ## build every Lambda function into target/lambda, and check its size
	@ci/bundle

image: ## build the container image of `bespoke serve` into target/image, without a daemon
	cargo build --release --locked --bin bespoke
	@ci/image

bench: ## measure `bespoke serve`, and write docs/performance.md
	cargo build --release --locked -p bespoke-cli --bin bespoke --example ceiling
	bench/run --write

bench-cold: ## measure the cold starts of the functions of make bundle, and write docs/performance.md
	cargo build --release --locked --bin bespoke
	ci/bundle
	ci/bundle smallest
	bench/cold --write

bench-keys: ## measure the verification of a key, and check the count of a million calls over four processes, one of which is killed
	cargo bench --locked -p bespoke-core --bench credentials
	cargo build --release --locked --bin bespoke
	bench/counts

bench-storage: ## compare the storage engine with plain SQLite, and write docs/performance.md
	@ci/install
	cargo run --release --locked -p bespoke-storage --example benchmark -- "$(CURDIR)/target" --write
