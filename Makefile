.DEFAULT_GOAL := help
.PHONY: help check check-browser fmt audit attack-schema fuzz faults bundle image bench bench-cold bench-keys bench-storage

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

check: ## everything that CI runs, with the duration of each step
	@ci/check

check-browser: ## the console in a real browser (needs chromium; installs it for root)
	@ci/check-browser

fmt: ## format the Rust code
	cargo fmt --all

audit: ## known vulnerabilities of what we depend on; fails where a database cannot be reached
	@ci/install
	@ci/audit --insist

attack-schema: ## hold a release server against its own description, with some hundred thousand made-up requests
	@ci/install
	cargo build --release --locked --bin bespoke
	attack/schema

fuzz: ## throw mutated bytes at everything that reads them, ten minutes each; what is found is named
	@fuzz/run

faults: ## play bad days on a release server: kills, a full disk, a failing bucket, clocks, crowds, guesses, processes that share a bucket (40 minutes)
	@ci/install
	cargo build --release --locked --bin bespoke
	attack/faults

bundle: ## build every Lambda function into target/lambda, and show that each fits
	@ci/bundle

image: ## build the container image of `bespoke serve` into target/image, without a daemon
	cargo build --release --locked --bin bespoke
	@ci/image

bench: ## measure `bespoke serve` and write docs/performance.md
	cargo build --release --locked -p bespoke-cli --bin bespoke --example ceiling
	bench/run --write

bench-cold: ## measure what the functions of make bundle take from cold and write docs/performance.md
	cargo build --release --locked --bin bespoke
	ci/bundle
	ci/bundle smallest
	bench/cold --write

bench-keys: ## measure what verifying a key costs, and count a million calls over four processes of which one is killed
	cargo bench --locked -p bespoke-core --bench credentials
	cargo build --release --locked --bin bespoke
	bench/counts

bench-storage: ## measure the storage engine beside plain SQLite and write docs/performance.md
	@ci/install
	cargo run --release --locked -p bespoke-storage --example benchmark -- "$(CURDIR)/target" --write
