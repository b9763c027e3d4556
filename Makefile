# Every target sets up what it needs; nothing relies on what was installed by hand.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
JOBS   ?= 2
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: demo demo-meridian test test-nightly check bench docs clean help

help:            ## list the targets
	@grep -hE '^[a-z-]+: *.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) -e '.[dev]'
	touch $@

demo: $(VENV)/.run  ## set up and make the airports plan; the last line is the path of the report
	$(BIN)/forecasting init build/demo --from examples/airports --force
	$(BIN)/forecasting ingest -w build/demo
	$(BIN)/forecasting plan -w build/demo --as-of 2013-10-01

demo-meridian: $(VENV)/.run  ## the same for the fictional retail group, from its generator
	$(BIN)/python examples/meridian/generate.py --out build/meridian-data
	$(BIN)/forecasting init build/meridian --from build/meridian-data --force
	$(BIN)/forecasting ingest -w build/meridian
	$(BIN)/forecasting plan -w build/meridian --as-of 2026-11-22

test: $(VENV)/.dev  ## everything a person waits for
	$(BIN)/python -m pytest -n $(JOBS) -m "not nightly"

test-nightly: $(VENV)/.dev  ## the slower tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m nightly

check: $(VENV)/.dev  ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## measure on the bundled data; results under benchmarks/results
	$(BIN)/python benchmarks/airports.py

docs: $(VENV)/.dev  ## tables in docs that are derived from the code
	$(BIN)/python docs/build.py

clean:           ## remove what the targets made
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
