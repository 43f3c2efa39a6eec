# Every entry point of CloudPix. `make` alone lists them.

# The environment of cloudpix.toml that provision, destroy, plan, outputs and status are about.
ENV ?=
# Python, 3.10 or newer: for the embedded AWS, and for CMake where there is none.
PYTHON ?= python3
# The embedded AWS's port: as given, or the one it had last time, or 4566.
ifndef PORT
PORT := $(shell cat .local/emulator/port 2>/dev/null || echo 4566)
endif
# What everything is built for: this machine.
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
ifndef TARGET
TARGET := $(HOST)
endif
# What the functions that go to AWS are built for: the same, or Linux on ARCH (x86_64 or arm64).
FUNCTIONS_TARGET := $(if $(ARCH),$(subst arm64,aarch64,$(ARCH))-unknown-linux-gnu,$(TARGET))

# For another machine than this one: with Debian's cross compiler where it is installed, else in Docker,
# else with zig, which brings a C compiler and musl. It links no static glibc.
BUILDER := cargo
ifneq ($(FUNCTIONS_TARGET),$(HOST))
CROSS_COMPILER := $(subst -unknown,,$(FUNCTIONS_TARGET))-gcc
BUILDER := $(if $(filter %-musl,$(FUNCTIONS_TARGET)),zig,$(or \
	$(if $(shell command -v $(CROSS_COMPILER)),cargo),$(shell docker version >/dev/null 2>&1 && echo docker),zig))
export CARGO_TARGET_$(shell echo $(FUNCTIONS_TARGET) | tr a-z- A-Z_)_LINKER ?= $(CROSS_COMPILER)
endif
ifeq ($(BUILDER),zig)
FUNCTIONS_TARGET := $(FUNCTIONS_TARGET:gnu=musl)
endif
# The caller's RUSTFLAGS come after those of .cargo/config.toml. Cargo would take them in place of those, and a function
# would not start.
$(foreach target,$(if $(RUSTFLAGS),$(sort $(TARGET) $(FUNCTIONS_TARGET))),$(eval \
	export CARGO_TARGET_$(shell echo $(target) | tr a-z- A-Z_)_RUSTFLAGS += $(RUSTFLAGS)))
unexport RUSTFLAGS
BUILD_NEEDS := $(if $(filter docker,$(BUILDER)),,need-target) $(if $(filter zig,$(BUILDER)),tools)

# Relocations packed, as glibc reads them since 2.36, are a quarter megabyte less to load at a cold start.
PACKED := -C link-arg=-Wl,-z,pack-relative-relocs
build bench bench-cold bench-languages bench-thumbnails: export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS += $(PACKED)
build bench bench-cold bench-languages bench-thumbnails: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS += $(PACKED)

# CMake builds libjpeg-turbo. Cargo has it from local/cmake: this machine's, or else PyPI's, which make fetches.
ifndef CMAKE
unexport CMAKE
PYPI_CMAKE := $(if $(shell command -v cmake),,.local/cmake/bin/cmake)
endif

# A folder, with what a file lists from PyPI.
from_pypi = $(PYTHON) local/pypi.py $(1) $(2)
unexport PYTHONHOME PYTHONPATH

# The functions: each crate of lambdas/ that is a program.
FUNCTIONS := $(sort $(patsubst lambdas/%/src/main.rs,%,$(wildcard lambdas/*/src/main.rs)))
FUNCTION_PACKAGES := $(addprefix -p ,$(FUNCTIONS))

CARGO_LOCAL = --profile local --target $(TARGET)
# What of them is asked for decides which features of their dependencies are built, and so whether a build before
# is of use: whoever needs one asks for all, or every SDK is compiled twice.
PACKAGES = -p provision $(FUNCTION_PACKAGES)
# Where everything is built: as the variable says, and no matter what Cargo's own files of settings say.
BUILT := $(or $(CARGO_TARGET_DIR),target)
ifneq ($(words $(BUILT)),1)
$(error CARGO_TARGET_DIR has a space in it, which make cannot do with)
endif
export CARGO_TARGET_DIR := $(BUILT)
export CARGO_BUILD_BUILD_DIR := $(BUILT)
LOCAL = $(BUILT)/$(TARGET)/local
RELEASE = $(BUILT)/$(FUNCTIONS_TARGET)/release

# The embedded AWS's root key, and nothing of the caller's own settings but these: AWS's SDK reads dozens.
KEPT = HOME LANG LC_ALL LOGNAME NO_COLOR PATH RUST_BACKTRACE TERM TMPDIR TZ USER
LOCAL_AWS = env -i $(foreach name,$(KEPT),$(if $($(name)),$(name)="$$$(name)")) \
	AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=.local/emulator/credentials \
	AWS_ENDPOINT_URL=http://localhost:$(PORT) AWS_REGION=us-east-1
LOCAL_STACK = --env local --state-dir .local/state
LOCAL_PROVISION = $(LOCAL_AWS) $(LOCAL)/provision
# The first user there, and the file that has a key of theirs for curl.
LOCAL_USER = you@example.com
LOCAL_KEY = .local/state/local.api-key
LOCAL_PICTURE = tests/images/coffee.jpg

# What the test of the images needs beside Docker, and cross-compilation without a cross compiler.
TOOLS = .local/tools
# The second emulator, for one test.
MOTO = .local/moto

# Fuzzing: cargo-fuzz installed beside what is built, and what the fuzzers have learned so far.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS = request base64 picture cursor thumbnail token
# Bytes; the smallest whole pictures need more than a request.
FUZZ_LENGTH = 4096
FUZZ_LENGTH_thumbnail = 65536
# From the root, and so in quotes, for what works in a folder of its own.
BUILT_HERE = $(if $(filter /%,$(BUILT)),$(BUILT),$(CURDIR)/$(BUILT))
FUZZ = $(BUILT_HERE)/fuzz
CARGO_FUZZ = $(BUILT)/tools/bin/cargo-fuzz

# What the functions are compared with in other languages, and all that it needs.
LANGUAGES = $(BUILT)/languages
THUMBNAILS = $(BUILT)/thumbnails

# What cargo-deny checks; see deny.toml.
DENY ?= bans licenses sources

ON_ENV = $(if $(ENV),--env $(ENV))
WITH_FUNCTIONS = --functions $(RELEASE) $(if $(PACKAGE),--package $(PACKAGE))
UNATTENDED = $(if $(filter 1,$(YES))$(filter 1 true,$(CI)),--yes)

.DEFAULT_GOAL := help
.PHONY: help local local-down local-clean provision destroy plan deploy rollback versions outputs status \
	build test test-build tools fuzz bench bench-provision bench-cold bench-languages bench-thumbnails bench-arrival quick lint fmt deny check clean need-cargo need-target need-python need-function

# No more than a screen of 24 lines by 80 columns.
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf 'PORT=%s  TARGET=%s  PYTHON=%s\n' '$(PORT)' '$(TARGET)' '$(PYTHON)'

##@ On this machine, without an AWS account
local: need-python need-cargo ## Run all of CloudPix here; PORT=4600 picks the port
	@$(PYTHON) local/emulator.py install
	@$(PYTHON) local/emulator.py start --dir .local/emulator --port $(PORT) >/dev/null
	cargo build $(CARGO_LOCAL) $(PACKAGES)
	@$(LOCAL_AWS) $(LOCAL)/provision apply $(LOCAL_STACK) --yes --functions $(LOCAL) \
		--package $(or $(PACKAGE),zip) >/dev/null # outputs prints the same, and more
	@if $(LOCAL_PROVISION) outputs $(LOCAL_STACK) --json | grep -q '"auth": "users"'; then \
		$(LOCAL_PROVISION) users list $(LOCAL_STACK) --json | grep -q '"email"' || \
			$(LOCAL_PROVISION) users add $(LOCAL_USER) $(LOCAL_STACK) || exit 1; \
		test -e $(LOCAL_KEY) || $(LOCAL_PROVISION) keys create $(LOCAL_USER) $(LOCAL_STACK) \
			--name curl --scopes read,write,delete --save >/dev/null || exit 1; \
	fi
	@$(LOCAL_PROVISION) outputs $(LOCAL_STACK) --curl $(LOCAL_PICTURE)

local-down: need-python ## Stop it; images and all are there again next time
	@$(PYTHON) local/emulator.py stop --dir .local/emulator

local-clean: local-down ## Stop it and delete all that it held
	rm -rf .local/emulator .local/state

##@ On AWS (ENV=staging: that environment of cloudpix.toml; YES=1: do not ask)
provision: build $(LOCAL)/provision ## Create or update everything
	@$(LOCAL)/provision apply $(ON_ENV) $(WITH_FUNCTIONS) $(UNATTENDED)

plan: build $(LOCAL)/provision ## Show what that would change; change nothing
	@$(LOCAL)/provision plan $(ON_ENV) $(WITH_FUNCTIONS) || test $$? -eq 2 # 2: there is something to change

deploy: build $(LOCAL)/provision ## Bring new code alone; FUNCTION=list for one function
	@$(LOCAL)/provision deploy $(FUNCTION) $(ON_ENV) $(WITH_FUNCTIONS)

rollback: need-function $(LOCAL)/provision ## Go back to the version before; FUNCTION=list VERSION=7
	@$(LOCAL)/provision rollback $(FUNCTION) $(ON_ENV) $(if $(VERSION),--to $(VERSION))

versions: $(LOCAL)/provision ## Print each function's versions, and which one is live
	@$(LOCAL)/provision versions $(FUNCTION) $(ON_ENV)

destroy: $(LOCAL)/provision ## Delete everything; DELETE_IMAGES=1 the images too
	@$(LOCAL)/provision destroy $(ON_ENV) $(if $(filter 1,$(DELETE_IMAGES)),--delete-images) \
		$(if $(filter 1,$(KEEP_IMAGES)),--keep-images) $(UNATTENDED)

outputs: $(LOCAL)/provision ## Print URL, bucket, table, functions; API_KEY=1: the key
	@$(LOCAL)/provision outputs $(ON_ENV) $(if $(filter 1,$(API_KEY)),--api-key)

status: $(LOCAL)/provision ## Print every resource with its health
	@$(LOCAL)/provision status $(ON_ENV)

##@ Develop
build: need-cargo $(BUILD_NEEDS) ## Build the functions for AWS; ARCH=arm64 for Graviton
ifeq ($(BUILDER),docker)
	@echo "there is no $(CROSS_COMPILER) here, so Docker cross-compiles" >&2
	@$(foreach function,$(FUNCTIONS),DOCKER_BUILDKIT=1 docker build --quiet --build-arg FUNCTION=$(function) \
		--platform linux/$(patsubst x86_64,amd64,$(ARCH)) --output type=local,dest=$(RELEASE)/$(function).image . && \
		mv $(RELEASE)/$(function).image/bootstrap $(RELEASE)/$(function) &&) rm -r $(RELEASE)/*.image
else ifeq ($(BUILDER),zig)
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo zigbuild --release --target $(FUNCTIONS_TARGET) $(FUNCTION_PACKAGES)
else
	cargo build --release --target $(FUNCTIONS_TARGET) $(FUNCTION_PACKAGES)
endif

test: test-build ## Run all tests, end to end on an embedded AWS of their own
	cargo test --workspace $(CARGO_LOCAL)

# All that tests need.
test-build: need-python need-cargo $(MOTO)/installed
	@$(PYTHON) local/emulator.py install
	cargo build $(CARGO_LOCAL) $(PACKAGES)
	$(if $(shell command -v dockerd),@$(MAKE) --no-print-directory tools)
	cargo test --workspace --no-run $(CARGO_LOCAL)

# Install cargo-lambda and zig, from PyPI.
tools: $(TOOLS)/bin/cargo-lambda

$(MOTO)/installed: tests/moto.txt
	@$(call from_pypi,$(MOTO),$<)
	@touch $@

$(TOOLS)/bin/cargo-lambda: tests/tools.txt
	@$(call from_pypi,$(TOOLS),$<)
	@touch $@

# Time provision, from nothing to nothing.
bench-provision: need-python need-cargo
	@$(PYTHON) local/emulator.py install
	cargo build --release --target $(TARGET) $(PACKAGES)
	@$(PYTHON) bench/provision.py "$(BUILT_HERE)/$(TARGET)/release/provision" "$(BUILT_HERE)/$(TARGET)/release"

bench: need-cargo ## Time the functions; bench-{cold,languages,provision} too
	cargo build --release --target $(TARGET) $(FUNCTION_PACKAGES)
	cargo build --release --target $(TARGET) --target-dir $(BUILT) --manifest-path bench/plain/Cargo.toml
	cargo run --release --target $(TARGET) -p bench -- $(ARGS)

# Time the functions' starts, beside one that does nothing.
bench-cold: need-cargo
	cargo build --release --target $(TARGET) $(FUNCTION_PACKAGES)
	cargo build --release --target $(TARGET) --target-dir $(BUILT) --manifest-path bench/empty/Cargo.toml
	cargo run --release --target $(TARGET) -p bench -- --cold $(ARGS)

# The same beside Python and Node.js, by CPU time.
bench-languages: need-cargo need-python
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "error: Node.js is missing, to compare with (Debian, Ubuntu: apt install nodejs npm)" >&2; exit 1; }
	$(call from_pypi,$(LANGUAGES)/python,bench/python/requirements.txt)
	mkdir -p $(LANGUAGES)/python-app $(LANGUAGES)/node
	cp bench/python/app.py $(LANGUAGES)/python-app/
	cp bench/node/* $(LANGUAGES)/node/
	ln -sf "$$(command -v node)" $(LANGUAGES)/node/node
	npm ci --prefix $(LANGUAGES)/node --no-audit --no-fund --loglevel=error
	cargo build --release --target $(TARGET) $(FUNCTION_PACKAGES)
	cargo run --release --target $(TARGET) -p bench -- --languages "$(BUILT_HERE)/languages" $(ARGS)

# Thumbnails beside sharp's and Pillow's, by CPU time.
bench-thumbnails: need-cargo need-python
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "error: Node.js is missing, to compare with (Debian, Ubuntu: apt install nodejs npm)" >&2; exit 1; }
	$(call from_pypi,$(THUMBNAILS)/python,bench/python/thumbnails.txt)
	mkdir -p $(THUMBNAILS)/sharp && cp bench/sharp/* $(THUMBNAILS)/sharp/
	npm ci --prefix $(THUMBNAILS)/sharp --no-audit --no-fund --loglevel=error
	cargo build --release --target $(TARGET) -p process --example thumbnails
	$(THUMBNAILS)/python/bin/python bench/thumbnails.py --sharp "$(BUILT_HERE)/thumbnails/sharp" \
		--ours $(BUILT)/$(TARGET)/release/examples/thumbnails $(ARGS)

# From a PUT until its thumbnails are there, on the local system.
bench-arrival: local
	$(call from_pypi,$(THUMBNAILS)/python,bench/python/thumbnails.txt)
	@$(LOCAL_PROVISION) outputs $(LOCAL_STACK) --json | \
		$(THUMBNAILS)/python/bin/python bench/arrival.py "$$(sed 's/.*Bearer //' $(LOCAL_KEY))"

# A stable compiler takes the flags that fuzzing needs only when it is told to be a nightly one.
fuzz: need-cargo $(CARGO_FUZZ) ## Fuzz each parser for a minute, or FUZZ_SECONDS=600
	@for parser in $(FUZZ_TARGETS); do \
		echo "fuzzing: $$parser" && \
		corpus="$(FUZZ)/corpus/$$parser" && mkdir -p "$$corpus" && cp tests/images/* "$$corpus/" && \
		RUSTC_BOOTSTRAP=1 $(CARGO_FUZZ) run --fuzz-dir fuzz --target $(TARGET) --target-dir "$(FUZZ)" \
			$$parser "$$corpus" $$(ls -d fuzz/seeds/$$parser 2>/dev/null) -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=$$(test $$parser = thumbnail && echo $(FUZZ_LENGTH_thumbnail) || echo $(FUZZ_LENGTH)) -timeout=5 -verbosity=0 -print_final_stats=1 || exit 1; \
	done

$(CARGO_FUZZ):
	cargo install cargo-fuzz --version 0.13.2 --locked --root $(BUILT)/tools --target $(TARGET)

# For after each edit. When all has been compiled once, it takes 25 seconds of CPU time after a change of a crate that
# most others use. What has tests in a folder of its own (decoders, child, end to end) is left to `make test`.
quick: need-cargo ## Check format and lints and run unit tests, in a minute
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(CARGO_LOCAL) -- -D warnings
	cargo test --workspace --lib --bins $(CARGO_LOCAL)

lint: need-cargo ## Check format, lints and documentation; make fmt formats
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(CARGO_LOCAL) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items $(CARGO_LOCAL)

fmt: need-cargo
	cargo fmt --all

# Licences, sources and versions of all that is built in. DENY=advisories asks for known holes, and needs GitHub.
deny: need-cargo
	@command -v cargo-deny >/dev/null || { echo "error: cargo-deny is missing; install it:" \
		"cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check --hide-inclusion-graph $(DENY)

check: lint test ## Do what CI does: lint and test

clean: need-cargo ## Delete what was built; keeps .local and state
	cargo clean

# Always up to Cargo whether there is something to build.
.PHONY: $(LOCAL)/provision
$(LOCAL)/provision: need-cargo
	@cargo build $(CARGO_LOCAL) $(PACKAGES) --bin provision

need-function:
	@test -n "$(FUNCTION)" || { echo "error: say which: FUNCTION= and one of $(FUNCTIONS)" >&2; exit 1; }

need-cargo: $(PYPI_CMAKE)
	@test -z "$$CARGO_ENCODED_RUSTFLAGS" || { echo "error: CARGO_ENCODED_RUSTFLAGS would be taken in place" \
		"of what makes a function static; give your flags as RUSTFLAGS" >&2; exit 1; }
	@command -v cargo >/dev/null && command -v rustc >/dev/null || { \
		echo "error: Rust (cargo) is missing; https://rustup.rs installs it" >&2; exit 1; }
	@rustc --version >/dev/null || { echo "error: rustup has not the Rust of rust-toolchain.toml; with one that" \
		"it has: RUSTUP_TOOLCHAIN=stable make ..." >&2; exit 1; }

need-target:
	@test -e "$$(rustc --print target-libdir --target $(FUNCTIONS_TARGET))" || { echo "error: Rust lacks" \
		"$(FUNCTIONS_TARGET); install it: rustup target add $(FUNCTIONS_TARGET)" >&2; exit 1; }

.local/cmake/bin/cmake: local/cmake.txt
	@$(call from_pypi,.local/cmake,$<) || { echo "error: CMake is missing, and could not be installed" \
		"from PyPI; install it (Debian, Ubuntu: apt install cmake)" >&2; exit 1; }
	@touch $@

need-python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing, for the embedded AWS;" \
		"install Python 3.10 or newer (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
