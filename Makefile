# Every target sets up what it needs; nothing relies on what was installed by hand.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
JOBS   ?= 2
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: demo demo-meridian test test-nightly check bench bench-forecasts bench-m4 bench-breach bench-breach-cost bench-cost bench-portfolio docs clean help

help:            ## list the targets
	@grep -hE '^[a-z0-9-]+: *.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

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
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not nightly"

test-nightly: $(VENV)/.dev  ## the slower tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m nightly

check: $(VENV)/.dev  ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## measure on the bundled data, on made series, and on the benchmark's data where it is named
	$(BIN)/python benchmarks/airports.py
	$(MAKE) bench-cost BENCH_COST="$(or $(BENCH_COST),$(BENCH_COST_SHORT))"
	$(MAKE) bench-m4 bench-forecasts bench-breach

# Environment: FORECASTING_BENCH_HARNESS (forecast_bench.py), _FAMILIES (folder), _RESULTS (folder of kept forecasts),
# _DATA (folder of the M4 data) and, for the peers, _PEERS_PYTHON; what to run besides in BENCH_FORECASTS.
BENCH_FORECASTS ?=
bench-forecasts: $(VENV)/.dev  ## forecasts beside other forecasters; needs the harness and its families
	@if [ -n "$$FORECASTING_BENCH_HARNESS" ] && [ -n "$$FORECASTING_BENCH_FAMILIES" ]; then \
	  $(BIN)/python benchmarks/forecasts.py --results "$${FORECASTING_BENCH_RESULTS:-build/bench-forecasts}" $(BENCH_FORECASTS); \
	else echo "forecasts beside others: not measured; set FORECASTING_BENCH_HARNESS and FORECASTING_BENCH_FAMILIES"; fi

bench-m4: $(VENV)/.dev  ## scores of the M4 competition; needs its data
	@if [ -n "$$FORECASTING_BENCH_DATA" ]; then $(BIN)/python benchmarks/m4.py; \
	else echo "M4 scores: not measured; set FORECASTING_BENCH_DATA"; fi

# Environment: FORECASTING_BENCH_BREACH (breach_bench.py), FORECASTING_BENCH_DATA (its data).
BENCH_BREACH ?=
bench-breach: $(VENV)/.dev  ## P(breach) beside simple rules; needs the harness and its data
	@if [ -n "$$FORECASTING_BENCH_BREACH" ] && [ -n "$$FORECASTING_BENCH_DATA" ]; then \
	  $(BIN)/python benchmarks/breach.py $(BENCH_BREACH); \
	else echo "P(breach) beside simple rules: not measured; set FORECASTING_BENCH_BREACH and FORECASTING_BENCH_DATA"; fi

bench-breach-cost: $(VENV)/.dev  ## cost of P(breach) by number of services, up to 1,000
	$(BIN)/python benchmarks/breach_cost.py

# What `make bench` measures of it: 1,000 series of 1,000 slices, 48 ahead, beside the long results and not over them.
BENCH_COST_SHORT := --series 1000 --lengths 1000 --horizon 48 --out build/bench-cost/short.json
BENCH_COST ?=
bench-cost: $(VENV)/.dev  ## cost of forecasts by number of series and length (long; BENCH_COST: its arguments)
	$(BIN)/python benchmarks/forecast_cost.py $(BENCH_COST)

bench-portfolio: $(VENV)/.dev  ## the choice of a portfolio at 1,000 services x 10 options x 12 periods
	$(BIN)/python benchmarks/portfolio.py

docs: $(VENV)/.dev  ## tables in docs that are derived from the code
	$(BIN)/python docs/build.py

clean:           ## remove what the targets made
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
