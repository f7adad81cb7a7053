# Needs Python 3.11 or later and make. Everything else comes from the lock files in requirements/.
#   make demo [ONCE=1]   the example service, explained exchange by exchange; ONCE=1 ends instead of staying up
#   make test            everything: linters, type checks, the suite against the built and installed wheel
#   make bench           ours beside the peers'
#   make soak            the property tests and the long ones, with other random inputs each time

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
TEST_VENV := build/venv
FLOOR_VENV := build/venv-floor
BENCH_VENV := build/venv-bench

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp carries the checksum of what it was made from: nothing is made twice, and nothing stale is kept.
key = $(shell cat $(1) | cksum | tr ' ' -)
DEV := $(VENV)/.made-$(call key,requirements/dev.txt pyproject.toml)
TEST := $(TEST_VENV)/.made-$(call key,requirements/dev.txt)
FLOOR := $(FLOOR_VENV)/.made-$(call key,requirements/floor.txt)
BENCH := $(BENCH_VENV)/.made-$(call key,requirements/dev.txt requirements/bench.txt)

define venv
@$(PYTHON) -c 'import sys; sys.exit("authkit needs Python 3.11 or later: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
@echo "Setting up $(1), once; this takes a minute ..."
@$(PYTHON) -m venv --clear $(1)
@for lock in $(2); do $(1)/bin/python -m pip install -qq --require-hashes -r $$lock || exit 1; done
endef

.PHONY: demo test bench soak clean

demo: $(DEV)
	@$(VENV)/bin/python -m examples.demo $(if $(filter 1,$(ONCE)),--once)

test: $(TEST) $(FLOOR)
	@.ci/suite $(TEST_VENV) $(FLOOR_VENV)

bench: $(BENCH)
	@PYTHONPATH=providers $(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

soak: $(DEV)
	@AUTHKIT_PROFILE=soak $(VENV)/bin/python -m pytest -m "hypothesis or soak" $(ARGS)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV):
	$(call venv,$(VENV),requirements/dev.txt)
	@$(VENV)/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(TEST):
	$(call venv,$(TEST_VENV),requirements/dev.txt)
	@touch $@

$(FLOOR):
	$(call venv,$(FLOOR_VENV),requirements/floor.txt)
	@touch $@

$(BENCH):
	$(call venv,$(BENCH_VENV),requirements/dev.txt requirements/bench.txt)
	@touch $@
