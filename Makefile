# Everything that a fresh clone needs, by one word each. `make` alone lists them.

CARGO ?= cargo
SERVERS := orderd/tests/servers/with-servers

.DEFAULT_GOAL := help
.PHONY: help run test test-here check drill unfenced contract bench fuzz model sanitize miri portable readme up migrateup \
	servers libraries nightly cargo

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: cargo ## build and start orderd with its embedded store and topic and a demo producer
	$(CARGO) run --bin orderd -- serve --demo --data-dir data

# The crate `benches` stands apart: its feature `compare` builds a dozen other caches.
test: cargo libraries ## run every test against a real PostgreSQL and Apache Kafka, which it provides
	$(SERVERS) $(MAKE) --no-print-directory test-here

test-here:
	$(CARGO) test --workspace --exclude benches --all-features
	$(CARGO) test --package benches

check: cargo libraries ## format, clippy and docs, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --exclude benches --all-targets --all-features -- -D warnings
	$(CARGO) clippy --package benches --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --exclude benches --all-features --no-deps

# Two binaries: what readers of several instances see lies among the tests, whose helpers it shares.
DRILL := $(CARGO) test --release --package orderd --all-features
drill: cargo libraries ## run the drills at full length, each ending in a table of figures
	$(SERVERS) env ORDERD_DRILL=1 sh -c '$(DRILL) --test drill -- --nocapture --test-threads=1 \
		&& $(DRILL) --test it drill -- --nocapture --test-threads=1'

# Passes if the drill finds what such a build loses. In a folder of its own, apart from all others.
unfenced: cargo libraries ## show that the kill drill finds out a build without the compare-and-set
	$(SERVERS) env ORDERD_DRILL_WITHOUT_FENCE=1 $(CARGO) test --target-dir target/unfenced \
		--package orderd --all-features --test drill kills -- --nocapture --test-threads=1

bench: cargo ## run the benchmarks, against DATABASE_URL or a PostgreSQL of their own
	$(CARGO) bench --package benches

# The fuzzer asks for compiler options that a stable compiler has and hides.
fuzz: cargo ## fuzz each target for a minute (gets cargo-fuzz; needs a C++ compiler)
	@command -v cargo-fuzz >/dev/null || $(CARGO) install cargo-fuzz --locked
	for target in lru_ops weighed_ops parts_ops order_decode letter_envelope query_cursor; do \
		mkdir -p fuzz/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target fuzz/corpus/$$target \
			$$(ls -d fuzz/seeds/$$target 2>/dev/null) -- -max_total_time=60 || exit 1; \
	done

model: cargo ## try every order of threads through the engine's parts (loom), and random ones through all of it
	RUSTFLAGS='--cfg loom' LOOM_MAX_PREEMPTIONS=3 CARGO_TARGET_DIR=target/loom \
		$(CARGO) test --package lru-engine --lib --release models
	RUSTFLAGS='--cfg shuttle' CARGO_TARGET_DIR=target/shuttle \
		$(CARGO) test --package lru-engine --lib --release schedules

# A folder for each: the sanitizer goes into everything compiled, and ThreadSanitizer, which has to see
# every access to memory, into a standard library of its own. A stable compiler has the other one, hidden.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
SANITIZED = --release --package lru-engine --all-features --lib --tests --target $(HOST)
sanitize: cargo nightly ## run the engine's tests under AddressSanitizer and ThreadSanitizer (rustup)
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/address \
		$(CARGO) test $(SANITIZED)
	RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=target/thread \
		$(CARGO) +nightly test -Zbuild-std $(SANITIZED)

# Tests that take an interpreter minutes each are left to `make sanitize`: by name those skipped below,
# which insert by the thousand or look at every entry after each step; and of the integration tests
# `budget`, `linear`, `reentry`, `unwind`, and most of `model` and `weights`. Left out for what they are:
# `calls` counts, `layers` reads source text, `traces` replays 20 000 requests and more. Without isolation
# the clock is the host's, so each run hashes with another seed. A backtrace takes the interpreter seconds.
MIRI = RUST_BACKTRACE=0 $(CARGO) +nightly miri test --package lru-engine --all-features
MIRI_LIB = $(MIRI) --lib -- --skip keys_in_a_row --skip entries_that_come --skip shards_asked_for
MIRI_IT = $(MIRI) --test it -- concurrent:: listeners:: loads:: tickets:: traits:: every_short \
	a_replacement --skip threads_find --skip the_cache_remembers
miri: cargo nightly ## run tests of the engine in an interpreter that knows the rules of `unsafe` (rustup)
	MIRIFLAGS='-Zmiri-disable-isolation' $(MIRI_LIB)
	MIRIFLAGS='-Zmiri-disable-isolation -Zmiri-tree-borrows' $(MIRI_LIB)
	MIRIFLAGS='-Zmiri-disable-isolation -Zmiri-tree-borrows' $(MIRI_IT)

readme: cargo ## write the table of settings in the README anew, from the code
	ORDERD_TEST_WRITE_README=1 $(CARGO) test --package orderd --test it readme::the_table

up: ## PostgreSQL, Kafka, orderd and a producer in containers
	docker compose up --build

contract: cargo ## ask a daemon all that its OpenAPI document promises (gets schemathesis; needs python3)
	orderd/tests/contract/run

portable: cargo ## build the engine without std, test it at 32 bits and at minimal versions (rustup; gcc-multilib)
	rustup target add thumbv7m-none-eabi i686-unknown-linux-gnu
	$(CARGO) check --package lru-engine --no-default-features --target thumbv7m-none-eabi
	$(CARGO) test --package lru-engine --lib --tests --target i686-unknown-linux-gnu
	CARGO=$(CARGO) lru-engine/tests/minimal-versions

migrateup: cargo ## bring the database of DATABASE_URL to the newest schema
	$(CARGO) run --bin orderd -- migrate

servers: ## keep the servers of the tests running until Ctrl-C, for `cargo test` in another shell
	@$(SERVERS) sh -c 'echo "export ORDERD_TEST_DATABASE_URL=$$ORDERD_TEST_DATABASE_URL"; \
		env | sed -n "s/^ORDERD_TEST_KAFKA/export &/p"; exec tail -f /dev/null' \
		|| test $$? -eq 130

# With all features the Kafka client `rdkafka` is built from C, against OpenSSL.
libraries:
	@$(SERVERS) --libraries

# A nightly compiler that is there stays the one it is.
nightly:
	@rustup run nightly rustc --version || rustup toolchain install nightly --profile minimal
	rustup component add --toolchain nightly rust-src miri

cargo:
	@command -v $(CARGO) >/dev/null || { \
		echo "$(CARGO) is missing: install a Rust toolchain (https://rustup.rs)." >&2; exit 1; }
