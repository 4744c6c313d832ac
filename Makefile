# The front door. Meson does the work (see meson.build); this file names what people type.

MAKEFLAGS += --no-print-directory
BUILD     ?= build
TESTBUILD ?= build-test
PREFIX    ?= /usr/local
PYTHON    ?= /usr/bin/python3
SCALE     ?= 1

.PHONY: all help demo test test-unit test-integration test-emit bench fuzz matrix format format-check install clean setup

all: setup $(BUILD)/build.ninja
	@ninja -C $(BUILD)

help:
	@echo "make                build pgmend (into $(BUILD)/); installs missing Debian packages first"
	@echo "make demo           build it and run the main job on five example applications (SCALE=1)"
	@echo "make test           every test, under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make test-unit      the unit tests alone"
	@echo "make test-integration [T=tests/integration/test_x.py]"
	@echo "make test-emit      emitted migrations in the tools they are for (installs them)"
	@echo "make bench          measure against other ways, side by side (see bench/README.md); POOLBENCH=--quick"
	@echo "make fuzz           fuzz the parsers for a while (SECONDS=60 each)"
	@echo "make matrix         the integration tests on PostgreSQL 13 to 18"
	@echo "make format         format the C code; make format-check only looks"
	@echo "make install        into PREFIX=$(PREFIX), with man pages and completion"
	@echo "make clean          remove what was built"

setup:
	@tools/setup build

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix=$(PREFIX)

$(TESTBUILD)/build.ninja:
	@meson setup $(TESTBUILD) -Db_sanitize=address,undefined -Db_lundef=false

demo:
	@tools/setup demo
	@$(MAKE) all
	@$(BUILD)/pgmend demo --scale=$(SCALE)

testbuild:
	@tools/setup test
	@$(MAKE) $(TESTBUILD)/build.ninja
	@ninja -C $(TESTBUILD)

test-unit: testbuild
	@meson test -C $(TESTBUILD) --print-errorlogs --timeout-multiplier=10

test-integration: testbuild
	@PGMEND_BINARY=$(abspath $(TESTBUILD)/pgmend) $(PYTHON) -m pytest -q $(or $(T),tests/integration)

test-emit: testbuild
	@tools/setup emit
	@PGMEND_BINARY=$(abspath $(TESTBUILD)/pgmend) $(PYTHON) -m pytest -q -rs tests/integration/test_emit.py

# Files side by side, each process with a server of its own: much of the time is spent waiting.
SIDE_BY_SIDE ?= -n auto --maxprocesses=4 --dist loadfile

test: testbuild format-check
	@meson test -C $(TESTBUILD) --print-errorlogs --timeout-multiplier=10
	@PYTHON=$(PYTHON) tools/test $(TESTBUILD) $(SIDE_BY_SIDE)

bench: all
	@tools/setup test
	@meson configure $(BUILD) -Dbench=true
	@ninja -C $(BUILD)
	@$(PYTHON) bench/run $(BUILD)
	@$(PYTHON) bench/pool $(POOLBENCH) $(BUILD)

fuzz:
	@tools/setup fuzz
	@fuzz/run

matrix: testbuild
	@PGMEND_BINARY=$(abspath $(TESTBUILD)/pgmend) tools/matrix

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

format-check:
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) $(TESTBUILD) build-fuzz
