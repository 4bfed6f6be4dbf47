# What people do with this repository, by name. `make help` lists it; .ci/run calls the same targets.
# Two commands are enough to begin: `make run` and `make test`.

TARGET := x86_64-unknown-linux-musl
# The same in the words of packages.
PACKAGE_ARCH := amd64
# A system that is not unix.
ELSEWHERE := x86_64-pc-windows-gnu
# rustup's cargo in a shell that has not read its profile; servers that Debian keeps in sbin.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/sbin:/usr/sbin:/sbin
CARGO ?= cargo
# Never silently another set of crates than the one that was tested.
LOCKED := --locked
ARGS ?=

.DEFAULT_GOAL := build
# The targets share one cargo, which would make them wait for each other anyway.
.NOTPARALLEL:
.PHONY: build run test test-all test-extra test-undefended model model-short soak bench fuzz fmt lint house doc deny \
        check-static check-elsewhere check-deploy rehearse package check-packages dist check-dist smoke \
        musl elsewhere servers chromium axe schemathesis components wrk packaging checkers dist-tools denier qemu \
        cargo clean help

# What /metrics says it was built from; nothing where there is no git.
COMMIT = $(shell git describe --always --dirty --exclude '*' --abbrev=12 2>/dev/null)
build: export UNSLOW_COMMIT := $(COMMIT)
build: musl ## Build the static binary dist/unslow (also what `make` alone does)
	$(CARGO) build $(LOCKED) --release --target $(TARGET) --bin unslow
	@install -D -m 755 "$$(.ci/target-dir)/$(TARGET)/release/unslow" dist/unslow
	@ls -lh dist/unslow | awk '{ print "dist/unslow: " $$5 ", static. Copy it anywhere and start it." }'

run: cargo ## Build and serve the embedded demo on http://127.0.0.1:8000 (ARGS="…" are passed on)
	$(CARGO) run $(LOCKED) --release --bin unslow -- $(ARGS)

test: servers ## Run the tests, with real PostgreSQL, Redis, nginx and others (installed when missing)
	$(CARGO) test $(LOCKED) -- $(ARGS)

test-all: test test-extra ## Run `make test`, then the tests with a real Chromium and with schemathesis

# A filter that matches nothing would pass: $(call some_tests,CARGO-FLAGS,FILTER) fails then.
some_tests = @$(CARGO) test $(LOCKED) $(1) --test it -- --ignored --list $(2) | grep ': test$$' >/dev/null || \
  { echo "There is no ignored test named '$(2)': nothing was tested." >&2; exit 1; }

test-extra: servers chromium axe schemathesis ## Run only what test-all adds to test
	$(call some_tests,,browser)
	$(CARGO) test $(LOCKED) --test it -- --ignored browser $(ARGS)
	$(call some_tests,,openapi)
	SCHEMATHESIS="$$(.ci/target-dir)/schemathesis" \
	  $(CARGO) test $(LOCKED) --test it -- --ignored openapi $(ARGS)

model: servers ## Play many drawn cases of the fleet against its rules; each defence off must break one
	$(CARGO) test $(LOCKED) --features undefended --lib -- --ignored cache::tests::model $(ARGS)

# Those of one seed, so that a failure is due to a change.
model-short: ## Play some hundred of the model's longer cases, the same ones each time
	MODEL_FIRST=100000 MODEL_CASES=400 $(CARGO) test $(LOCKED) --features undefended --lib -- \
	  --ignored --exact cache::tests::model::the_rules_hold_in_many_longer_cases

soak: servers ## Run the long tests and those that compare times (release build, one at a time)
	$(call some_tests,--release,soak)
	$(CARGO) test $(LOCKED) --release --test it -- --ignored soak --test-threads=1 --nocapture $(ARGS)

test-undefended: servers ## Switch each defence off in turn; the test that guards it must fail then
	.ci/test-undefended $(ARGS)

# How long each target runs; FUZZ names some of them.
FUZZ ?= $(notdir $(basename $(wildcard tests/fuzz/targets/*.rs)))
FUZZ_SECONDS ?= 600
fuzz: cargo ## Fuzz what reads from outside, FUZZ_SECONDS each (needs cargo-fuzz)
	@CARGO="$(CARGO)" .ci/fuzz $(FUZZ_SECONDS) $(FUZZ)

bench: musl wrk ## Measure what the cache promises against its rivals, and print one table (about 10 minutes)
	$(CARGO) bench $(LOCKED) --target $(TARGET) --bench engine
	$(CARGO) bench $(LOCKED) --target $(TARGET) --bench bars -- $(ARGS)

fmt: components ## Format the code
	$(CARGO) fmt

lint: components ## Check the format and every lint; a warning is an error
	$(CARGO) fmt --check
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings

house: cargo ## Print how the code is built: sizes, names, circles, comments
	@$(CARGO) test -q $(LOCKED) --test it -- --ignored --nocapture the_table_of_the_house | grep '  '

check-elsewhere: elsewhere components ## Check that it compiles without a warning where there is no unix system (Windows)
	$(CARGO) clippy $(LOCKED) --target $(ELSEWHERE) --bin unslow -- -D warnings

doc: cargo ## Build the code's documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --no-deps --document-private-items

deny: cargo denier ## Check licences, advisories and sources of all crates (cargo-deny, built when missing)
	@CARGO="$(CARGO)" .ci/deny

check-static: build ## Check dist/unslow: static, small, quick to start, at home in a bare chroot
	.ci/check-static dist/unslow

check-deploy: cargo servers checkers ## Check what `unslow deploy` writes, with the programs that it is for; what is not here is skipped
	@CARGO="$(CARGO)" .ci/check-deploy

rehearse: build servers ## Rehearse a fleet: dist/unslow three times behind nginx and HAProxy (ARGS="--help" says what else)
	@assets/deploy/local/rehearse.sh --program dist/unslow $(ARGS)

package: build ## Make the deb and the rpm of dist/unslow, beside it
	.ci/package dist/unslow $(PACKAGE_ARCH) dist

check-packages: build packaging ## Install, upgrade and remove both for real in a small Debian (needs root), lintian
	.ci/check-packages dist/unslow

dist: export UNSLOW_COMMIT := $(COMMIT)
dist: dist-tools ## Make a release in dist/: static binaries for x86-64 and arm64, packages, images, lists of crates, checksums
	@CARGO="$(CARGO)" .ci/dist

check-dist: dist qemu ## Check the release in dist/: complete, static, serving (arm64 under qemu), images that run
	@CARGO="$(CARGO)" .ci/check-dist dist

smoke: build ## Start dist/unslow, ask it for its pages, end it
	.ci/smoke dist/unslow

clean: cargo ## Remove what was built
	$(CARGO) clean
	rm -rf dist

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What the targets above need on the machine. Each looks first and installs only what is missing.
cargo:
	@command -v $(CARGO) >/dev/null || \
	  { echo "cargo is not here. Install Rust from https://rustup.rs, then run make again." >&2; exit 1; }
musl: cargo
	@TARGET=$(TARGET) .ci/install musl
elsewhere: cargo
	@TARGET=$(ELSEWHERE) .ci/install elsewhere
servers: cargo
	@.ci/install servers
chromium:
	@.ci/install chromium
axe: cargo
	@.ci/install axe
schemathesis: cargo
	@.ci/install schemathesis
components: cargo
	@.ci/install components
wrk:
	@.ci/install wrk
packaging:
	@.ci/install packaging
checkers:
	@.ci/install checkers
dist-tools: cargo
	@.ci/install dist
denier: cargo
	@.ci/install deny
qemu:
	@.ci/install qemu
