# make demo    builds, starts the emulator, runs the C quickstart and shows the result of every message
# make quick   what to run between two edits: lints and the fast tests of every language
# make test    all tests that need no network and no account; tests/README.md has a table of them
# make stress  200,000 messages under faults, against the emulator's ledger; some minutes
# make fuzz    searches for new inputs that break something, FUZZ_SECONDS for each target; the only target that needs a nightly toolchain
# make bench   measures the peers and us side by side: bench/README.md. BENCH=--quick shows only that it runs
# make docs    builds the pages and the references of all languages as one site in build/docs
# make check   formats, lints, header, exported symbols, generated pages
# make format  formats the sources of all languages
# make mutation-test  puts defects into a copy, one at a time, and shows that a test fails for each; by hand, some minutes
# make licenses  collects the licences of what is linked into the library, for binary releases
# make install PREFIX=...  headers, libraries, pkg-config, CMake, emulator; make uninstall removes them
# make header  writes include/rtcmsg.h, include/rtcmsg_macros_*.h, docs/CONFIGURATION.md and the tables of struct layouts again

CARGO ?= cargo
CC := gcc
CXX := g++
PYTHON ?= python3
NEED := .ci/need

BUILD := build
TARGET := $(or $(CARGO_TARGET_DIR),target)/debug
EMULATOR := $(TARGET)/rtcmsg-emulator
VENV := $(BUILD)/venv
CARGO_DENY := $(BUILD)/tools/bin/cargo-deny
CARGO_DENY_VERSION := 0.18.3

CARGO_FUZZ_VERSION := 0.13.2
FUZZ_TARGETS := volcengine_answer zego_answer message_abi config call_json
FUZZ_SECONDS ?= 600
FUZZ_RUNS := 20000

GO ?= go
GO_MODULES := bindings/go examples/go
GO_PC := $(BUILD)/go

# -Wpadded: no struct of the ABI has a hidden byte.
STRICT := -Wall -Wextra -Wpedantic -Wpadded -Werror
STRICT_CXX := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
PY_FILES := tools tests bench bindings/python examples/python

.PHONY: all quick quick-lints quick-rust quick-c quick-python quick-go lib shared need need-c need-go need-fuzz need-tools need-loops need-middleboxes venv demo test test-rust test-c test-examples test-python test-go test-budgets test-vendor-sdk \
	test-models test-fuzz stress fuzz bench docs \
	check check-stable check-rust check-imports check-header check-hpp check-symbols check-abi check-deps check-python check-go check-prose check-doxygen check-c-format format header licenses mutation-test clean

all: lib

need:
	@$(NEED) cargo:cargo cc:gcc

need-c: need
	@$(NEED) gcc:gcc g++:g++ $(PYTHON):python3 nm:binutils

need-tools:
	@$(NEED) objdump:binutils valgrind:valgrind strace:strace openssl:openssl cmake:cmake pkg-config:pkg-config

# tests/middleboxes.rs starts them. Debian installs them where only root's PATH looks.
need-middleboxes:
	@PATH="$$PATH:/usr/sbin" $(NEED) nginx:nginx haproxy:haproxy tinyproxy:tinyproxy

# The event loops of the examples: headers, so no command shows whether they are there.
need-loops: need-c
	@$(NEED) pkg-config:pkg-config
	@pkg-config --exists libuv || $(NEED) libuv-headers:libuv1-dev
	@echo '#include <asio.hpp>' | $(CXX) -E -x c++ - >/dev/null 2>&1 || $(NEED) asio-headers:libasio-dev

# The library, and links with the names that the linker and the loader look for.
lib: need
	$(CARGO) build --workspace
	@mkdir -p $(BUILD)/lib
	@ln -sf $(abspath $(TARGET))/librtcmsg.a $(BUILD)/lib/librtcmsg.a
	@ln -sf $(abspath $(TARGET))/librtcmsg.so $(BUILD)/lib/librtcmsg.so
	@ln -sf $(abspath $(TARGET))/librtcmsg.so $(BUILD)/lib/librtcmsg.so.0.1

# The shared library as it is shipped. `cargo build` makes a larger one, since all its crate types share one LTO setting.
SHARED := $(dir $(TARGET))shared
shared: need
	$(CARGO) rustc --profile shared --lib --crate-type cdylib

$(BUILD)/examples/%: examples/c/%.c include/rtcmsg.h | lib need-c
	@mkdir -p $(@D)
	$(CC) -std=c99 $(STRICT) -Iinclude $< -o $@ -L$(BUILD)/lib -lrtcmsg -Wl,-rpath,$(abspath $(BUILD)/lib)

$(BUILD)/examples/cpp-%: examples/cpp/%.cpp include/rtcmsg.h include/rtcmsg.hpp | lib need-c
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(STRICT_CXX) -Iinclude $< -o $@ -L$(BUILD)/lib -lrtcmsg -Wl,-rpath,$(abspath $(BUILD)/lib)

# libuv's header needs POSIX names beside C99.
$(BUILD)/examples/libuv: examples/c/libuv.c include/rtcmsg.h | lib need-loops
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_DEFAULT_SOURCE $(STRICT) -Iinclude $$(pkg-config --cflags libuv) $< -o $@ -L$(BUILD)/lib -lrtcmsg \
	  $$(pkg-config --libs libuv) -Wl,-rpath,$(abspath $(BUILD)/lib)

$(BUILD)/examples/cpp-asio: | need-loops

demo: $(BUILD)/examples/quickstart
	@$(PYTHON) tools/demo.py $(EMULATOR) $(BUILD)/examples/quickstart

# The venv is made again when the list of packages changes.
venv: $(VENV)/.done
$(VENV)/.done: tools/requirements.txt | need-c
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(NEED) python-venv-module:python3-venv || true
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

EXAMPLES := $(addprefix $(BUILD)/examples/,hello epoll libuv cpp-hello cpp-quickstart cpp-game_loop cpp-asio)
# AT_A_TIME parts run at once, since they often wait. Each has its own time limit.
PARTS := test-rust test-c test-python test-go test-fuzz test-install test-budgets test-models test-examples test-vendor-sdk
AT_A_TIME ?= 1
test: need-c need-go need-tools need-loops need-middleboxes lib venv $(BUILD)/examples/quickstart $(EXAMPLES)
	@$(PYTHON) tools/run_parts.py --make $(MAKE) --logs $(BUILD)/logs --at-a-time $(AT_A_TIME) $(PARTS)

# Lints and fast tests, under three minutes on two cores once all is built. What it leaves out: sanitizers, the race
# detector, models, growth of memory, examples, packages, other clients of this process's quota, real middleboxes.
QUICK_RUST := send bad_answers queue
QUICK_C := layout call messages config conformance lifecycle submit errors without_exceptions
QUICK_PYTHON_WITHOUT := growth wheel examples process
quick: need-c need-go lib venv
	@$(PYTHON) tools/run_parts.py --make $(MAKE) --logs $(BUILD)/logs --at-a-time 2 quick-rust quick-c quick-python quick-go quick-lints

quick-lints: need venv
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --workspace --all-targets --features rtcmsg/inject-panics -- -D warnings
	$(VENV)/bin/ruff check --quiet $(PY_FILES)
	$(VENV)/bin/ruff format --quiet --check $(PY_FILES)
	@test -z "$$(gofmt -l $(GO_MODULES) bench/go tools)" || { gofmt -d $(GO_MODULES) bench/go tools; exit 1; }

quick-rust: need
	$(CARGO) test --quiet --workspace --lib $(QUICK_RUST:%=--test %)

quick-c: lib need-c
	$(PYTHON) tools/run_c.py --lib $(TARGET) --emulator $(EMULATOR) --build $(BUILD)/tests-quick $(QUICK_C)

quick-python: lib venv
	$(PYTEST) $(QUICK_PYTHON_WITHOUT:%=--ignore bindings/python/tests/test_%.py) bindings/python/tests

quick-go: lib need-go $(GO_PC)/rtcmsg.pc
	for module in $(GO_MODULES); do (cd $$module && $(GO_ENV) $(GO) test -short -count=1 ./...) || exit 1; done

# The library with panics to inject is built apart, so that it is not used by mistake.
test-rust: need need-middleboxes
	PYTHON=$(PYTHON) $(CARGO) test --workspace
	$(CARGO) test --target-dir $(dir $(TARGET))inject --features inject-panics --test boundary

# Every interleaving of the threads that share the quota's list or the credentials. In a target directory of its own, since
# code that is built with loom's locks cannot run outside a model.
test-models: need
	$(CARGO) test --target-dir $(dir $(TARGET))models --features loom --lib models

# Plain and under AddressSanitizer with its leak check, with the shared and the static library at the same time, since the
# programs often wait; then under valgrind memcheck.
test-c: lib need-c need-tools
	for runs in 'plain-shared plain-static' 'asan-shared asan-static' memcheck-shared; do \
	  for run in $$runs; do \
	    { $(PYTHON) tools/run_c.py --lib $(TARGET) --emulator $(EMULATOR) --build $(BUILD)/tests-$${run#*-} \
	        --mode $${run%-*} --link $${run#*-}; echo $$? > $(BUILD)/c-$$run.code; } > $(BUILD)/c-$$run.log 2>&1 & \
	  done; wait; \
	  for run in $$runs; do \
	    echo "C programs: $$run"; cat $(BUILD)/c-$$run.log; [ "$$(cat $(BUILD)/c-$$run.code)" = 0 ] || exit 1; \
	  done; \
	done

test-examples: demo $(EXAMPLES)
	@$(PYTHON) tools/hello.py $(EMULATOR) $(BUILD)/examples/hello examples/c/hello.c README.md
	@$(PYTHON) tools/hello.py $(EMULATOR) $(BUILD)/examples/cpp-hello examples/cpp/hello.cpp README.md
	@$(PYTHON) tools/demo.py $(EMULATOR) $(BUILD)/examples/cpp-quickstart
	@$(PYTHON) tools/examples.py $(EMULATOR) $(BUILD)/examples/cpp-game_loop $(BUILD)/examples/epoll $(BUILD)/examples/libuv \
	  $(BUILD)/examples/cpp-asio

PYTEST = RTCMSG_LIBRARY=$(abspath $(BUILD))/lib/librtcmsg.so RTCMSG_EMULATOR=$(abspath $(EMULATOR)) \
	$(abspath $(VENV))/bin/pytest -q -c bindings/python/pyproject.toml --rootdir bindings/python

# All ways to send from Python, and the wheel in an empty environment.
test-python: lib venv
	$(PYTEST) bindings/python/tests

# Describes the library in this tree for pkg-config.
$(GO_PC)/rtcmsg.pc: Makefile
	@mkdir -p $(@D)
	@printf 'libdir=%s\nincludedir=%s\n\nName: rtcmsg\nDescription: rtcmsg in its tree\nVersion: 0.1.0\nCflags: -I$${includedir}\nLibs: -L$${libdir} -lrtcmsg\nLibs.private: -lutil -lrt -lpthread -lm -ldl\n' \
		$(abspath $(BUILD)/lib) $(abspath include) > $@

# Go's build cache does not see changes of the header and the library: a checksum in the flags makes it build again.
GO_ENV = PKG_CONFIG_PATH=$(abspath $(GO_PC)) LD_LIBRARY_PATH=$(abspath $(BUILD)/lib) RTCMSG_EMULATOR=$(abspath $(EMULATOR)) \
	CGO_CFLAGS="-O2 -g -DRTCMSG_HEADER_SUM=h$$(cat $(abspath include/rtcmsg.h $(GO_PC)/rtcmsg.pc) | sha256sum | cut -c1-16)"

need-go: need-c
	@$(NEED) $(GO):golang pkg-config:pkg-config

# With the race detector and cgo's check of the pointers that are passed to C.
test-go: lib need-go $(GO_PC)/rtcmsg.pc
	for module in $(GO_MODULES); do \
	  (cd $$module && $(GO_ENV) GOEXPERIMENT=cgocheck2 $(GO) test -race -count=1 -timeout 15m ./...) || exit 1; \
	done

check-go: lib need-go $(GO_PC)/rtcmsg.pc
	@test -z "$$(gofmt -l $(GO_MODULES) bench/go tools)" || { gofmt -d $(GO_MODULES) bench/go tools; exit 1; }
	$(GO) vet tools/godoc.go
	for module in $(GO_MODULES); do (cd $$module && $(GO_ENV) $(GO) vet ./... && $(GO_ENV) $(GO) mod verify >/dev/null) || exit 1; done
	cd bindings/go && $(GO_ENV) $(GO) vet ./testdata/greet ./testdata/growth && $(GO_ENV) $(GO) vet -tags rtcmsg_static .

# Two hundred thousand messages under faults, compared with the emulator's ledger. By hand: `make test` sends fewer.
stress: need-c
	$(CARGO) build --release --workspace
	STRESS_MESSAGES=200000 $(PYTHON) tools/run_c.py --lib $(dir $(TARGET))release --emulator $(dir $(TARGET))release/rtcmsg-emulator \
	  --build $(BUILD)/stress stress

# Counts what a send costs: system calls, allocations, instructions, threads, lookups, connections, size. It uses the library
# as it is shipped.
test-budgets: lib shared need-c need-tools
	$(PYTHON) tools/budgets.py --lib $(SHARED) --emulator $(EMULATOR) --build $(BUILD)/budgets

test-vendor-sdk: $(BUILD)/examples/quickstart venv
	PYTHONPATH=tools EMULATOR=$(abspath $(EMULATOR)) QUICKSTART=$(abspath $(BUILD)/examples/quickstart) $(VENV)/bin/pytest -q tests/vendor_sdk

# libFuzzer, twice. `make test-fuzz` builds the targets with the stable compiler, whose flags can instrument for coverage,
# and runs them for a fixed seed and number of inputs. `make fuzz` searches for longer and adds the address sanitizer: for
# that it needs a nightly compiler, and it is the only target that does.
FUZZ_DICT_volcengine_answer := answers
FUZZ_DICT_zego_answer := answers
FUZZ_DICT_message_abi := messages
FUZZ_DICT_config := settings
FUZZ_DICT_call_json := calls
# The arguments of a target: an input that runs for 10 seconds or needs 2 GB fails. New inputs go to the build directory,
# since the checked-in corpus grows by hand. An input that fails is written to build/fuzz/broken: to run it again, give the
# file to the target's program.
FUZZ_DIRS = $(BUILD)/fuzz/found/$(1) fuzz/corpus/$(1)
FUZZ_OPTIONS = -dict=fuzz/$(FUZZ_DICT_$(1)).dict -artifact_prefix=$(BUILD)/fuzz/broken/$(1)- -timeout=10 -rss_limit_mb=2048 -max_len=8192
FUZZ_RUSTFLAGS := --cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module $(addprefix -Cllvm-args=-,sanitizer-coverage-level=4 \
	sanitizer-coverage-inline-8bit-counters sanitizer-coverage-pc-table sanitizer-coverage-trace-compares simplifycfg-branch-fold-threshold=0)

# With --target, cargo does not pass the flags to build scripts. Each run starts from a fresh directory.
test-fuzz: need-c
	@rm -rf $(BUILD)/fuzz/found
	@mkdir -p $(FUZZ_TARGETS:%=$(BUILD)/fuzz/found/%) $(BUILD)/fuzz/broken
	host=$$(rustc -vV | sed -n 's/^host: //p') && \
	CXX=$(CXX) RUSTFLAGS='$(FUZZ_RUSTFLAGS)' $(CARGO) build --quiet --locked --release --manifest-path fuzz/Cargo.toml \
		--target $$host --target-dir $(BUILD)/fuzz/stable && \
	ln -sfn stable/$$host/release $(BUILD)/fuzz/bin
	@$(foreach target,$(FUZZ_TARGETS),log=$(BUILD)/fuzz/$(target).log; \
		$(BUILD)/fuzz/bin/$(target) $(call FUZZ_DIRS,$(target)) $(call FUZZ_OPTIONS,$(target)) \
			-seed=1 -runs=$(FUZZ_RUNS) -print_final_stats=1 >$$log 2>&1 || { cat $$log; exit 1; }; \
		sed -n 's/^stat::number_of_executed_units: */fuzz $(target): executions: /p' $$log;) true

need-fuzz: need-c
	@$(CARGO) +nightly --version >/dev/null 2>&1 || \
		{ echo 'missing: a nightly toolchain of Rust, only for `make fuzz`: rustup toolchain install nightly' >&2; exit 1; }
	@command -v cargo-fuzz >/dev/null 2>&1 || $(CARGO) install --quiet --locked --version $(CARGO_FUZZ_VERSION) cargo-fuzz

fuzz: need-fuzz
	@mkdir -p $(FUZZ_TARGETS:%=$(BUILD)/fuzz/found/%) $(BUILD)/fuzz/broken
	$(foreach target,$(FUZZ_TARGETS),$(CARGO) +nightly fuzz run --target-dir $(BUILD)/fuzz/nightly $(target) \
		$(call FUZZ_DIRS,$(target)) -- $(call FUZZ_OPTIONS,$(target)) -max_total_time=$(FUZZ_SECONDS) &&) true

check: check-stable check-rust check-imports check-header check-hpp check-symbols check-abi check-deps check-python check-go check-prose check-doxygen check-c-format

# Only `make fuzz` may need more than a stable toolchain: of every target, this looks for the words in its recipe.
check-stable:
	@awk '/^[^\t#]/ { target = $$1 } /^[^#]*([+]nightly|cargo[- ]fuzz)/ && target !~ /^(fuzz|need-fuzz):$$/ \
		{ print FILENAME ":" FNR ": " $$0; found = 1 } END { exit found }' Makefile packaging/install.mk .ci/run tools/*.py

check-rust: need
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/embedding/second/Cargo.toml --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --features rtcmsg/inject-panics -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items --quiet
	$(CARGO) test --quiet --test configuration_page
	$(CARGO) test --quiet --lib tests::abi_layout

# Modules import downwards only, and in no circle.
check-imports:
	$(PYTHON) tools/imports.py --self-test src emulator/src

# The header is the generated one, compiles without warnings as C and C++, and may be included twice.
check-header: need-c
	@mkdir -p $(BUILD)
	RTCMSG_HEADER=$(abspath $(BUILD))/rtcmsg.h $(CARGO) build --quiet --features header
	diff -u include/rtcmsg.h $(BUILD)/rtcmsg.h
	! grep -nE '^(typedef )?(struct|enum|union) [^r]' include/rtcmsg.h
	printf '#include <rtcmsg.h>\n#include <rtcmsg.h>\n' > $(BUILD)/twice.c
	for std in c99 c11 c17; do $(CC) -std=$$std $(STRICT) -Iinclude -fsyntax-only $(BUILD)/twice.c || exit 1; done
	for std in 11 14 17 20; do $(CXX) -std=c++$$std $(STRICT) -Iinclude -fsyntax-only -x c++ $(BUILD)/twice.c || exit 1; done

# It compiles without warnings with both compilers and standards, with and without exceptions, when it is included twice,
# and after macros that have its names.
check-hpp: need-c need-loops
	@$(NEED) clang++:clang
	@mkdir -p $(BUILD)
	printf '#include <rtcmsg.hpp>\n#include <rtcmsg.hpp>\n' > $(BUILD)/twice.cpp
	for cxx in $(CXX) clang++; do for std in 17 20; do \
	  for file in $(BUILD)/twice.cpp examples/cpp/*.cpp; do \
	    $$cxx -std=c++$$std $(STRICT_CXX) -Iinclude -fsyntax-only $$file || exit 1; done; \
	  for flags in '-fno-exceptions -fno-rtti' -DRTCMSG_NO_EXCEPTIONS; do \
	    $$cxx -std=c++$$std $$flags $(STRICT_CXX) -Iinclude -fsyntax-only $(BUILD)/twice.cpp || exit 1; done; \
	done; done
	$(PYTHON) tools/hpp_dangling.py clang++
	$(PYTHON) tools/hpp_macros.py check $(CXX) clang++

# The library exports the functions in the list and nothing else.
check-symbols: lib need-c
	nm -D --defined-only $(BUILD)/lib/librtcmsg.so | awk '{ print $$3 }' | sort | diff -u tests/symbols.txt -

# What docs/ABI.md promises: the library needs no newer system, and programs built against the last tag still run.
check-abi: lib need-c
	@$(NEED) objdump:binutils abidiff:abigail-tools
	$(PYTHON) tools/abi.py needs $(TARGET)/librtcmsg.so
	$(PYTHON) tools/abi.py diff $(TARGET)/librtcmsg.so --build $(BUILD)/abi

# Without optimization it builds in a third of the time, and it runs for a second.
$(CARGO_DENY): | need
	$(CARGO) install --quiet --debug --locked --version $(CARGO_DENY_VERSION) --root $(BUILD)/tools cargo-deny

check-deps: $(CARGO_DENY)
	$(CARGO_DENY) --locked check bans licenses sources
	$(PYTHON) tools/licenses.py $(dir $(TARGET))THIRD-PARTY-LICENSES.md

mutation-test: need-c
	$(PYTHON) tools/mutation_test.py

licenses: need need-c
	$(PYTHON) tools/licenses.py $(dir $(TARGET))THIRD-PARTY-LICENSES.md

# The sources in C and C++ that are not generated.
C_FOLDERS := examples/c examples/cpp tests/c tests/cpp tests/embedding tests/install tests/budgets bindings/go bench/c bench/peers/c
C_FILES := include/rtcmsg.hpp $(filter-out tests/c/abi_layout.h,$(wildcard $(foreach kind,c h cpp hpp,$(C_FOLDERS:%=%/*.$(kind)))))
check-c-format: venv
	$(VENV)/bin/clang-format --dry-run --Werror $(C_FILES)

format: need need-go venv
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/embedding/second/Cargo.toml
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
	$(VENV)/bin/clang-format -i $(C_FILES)
	$(VENV)/bin/ruff format --quiet $(PY_FILES)
	gofmt -w $(GO_MODULES) bench/go tools

check-python: venv
	$(PYTHON) tools/readme.py README.md README.zh-CN.md
	$(VENV)/bin/ruff check --quiet $(PY_FILES)
	$(VENV)/bin/ruff format --quiet --check $(PY_FILES)
	MYPYPATH=bindings/python/src $(VENV)/bin/mypy --no-error-summary bindings/python/src bindings/python/tests examples/python/*.py
	MYPYPATH=bench $(VENV)/bin/mypy --no-error-summary bench/*.py
	MYPYPATH=tools $(VENV)/bin/mypy --no-error-summary tools/*.py tests/vendor_sdk
	$(PYTHON) tools/mutation_test.py --check

# The links and excerpts of the pages; and phrases that are hard to read, counted in pages and comments. PROSE=--list shows each
# place.
check-prose: need-c
	$(PYTHON) tools/pages.py $$(git ls-files '*.md')
	$(PYTHON) tools/prose.py --self-test
	$(PYTHON) tools/prose.py $(PROSE)

# Every public item of the headers has a comment that Doxygen understands.
check-doxygen: need-c
	@$(NEED) doxygen:doxygen
	@mkdir -p $(BUILD)
	doxygen docs/Doxyfile

docs: need-c venv
	@$(NEED) doxygen:doxygen $(GO):golang
	$(VENV)/bin/python tools/docs.py --output $(BUILD)/docs --rustdoc $(dir $(TARGET))doc --cargo $(CARGO) --go $(GO)

header: need
	RTCMSG_HEADER=$(abspath include)/rtcmsg.h $(CARGO) build --quiet --features header
	$(PYTHON) tools/hpp_macros.py write
	UPDATE_PAGES=1 $(CARGO) test --quiet --test configuration_page
	UPDATE_PAGES=1 $(CARGO) test --quiet --lib tests::abi_layout

# The driver builds the library, installs and builds the peers, and runs the server: bench/README.md.
bench: need
	@$(PYTHON) bench/run.py $(BENCH)

include packaging/install.mk

clean:
	$(CARGO) clean
	rm -rf $(BUILD)
