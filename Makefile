# Chores in one word each. Every target makes its own .venv and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint types schema docs wheel check bench fuzz soak clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.demo

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	touch $@ $(VENV)/.demo

demo: $(VENV)/.demo  ## records of every level through real servers
	$(BIN)/logroute demo

test: $(VENV)/.dev  ## the test suite, or the part of it that TESTS names
	$(BIN)/python -m pytest -n auto --dist loadfile $(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

schema: $(VENV)/.dev  ## write schemas/ anew from the specs
	$(BIN)/python -m logroute.config.describe

docs: $(VENV)/.dev  ## write docs/rules/ anew from the rules and their fixtures
	$(BIN)/python tests/kits/rule_pages.py

wheel: $(VENV)/.dev  ## build the wheel and try it away from the sources
	$(BIN)/python -m pytest tests/acceptance/test_packaging.py

check: lint types test

bench: $(VENV)/.dev $(VENV)/.bench  ## figures beside other loggers into docs/performance.md, then the rest
	$(BIN)/python -m benchmarks.compare
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.start_up
	$(BIN)/python -m benchmarks.formatting
	$(BIN)/python -m benchmarks.stalled_sinks
	$(BIN)/python -m benchmarks.check_speed
	$(BIN)/python -m benchmarks.forks
	$(BIN)/python -m benchmarks.spool
	$(BIN)/python -m benchmarks.leaks --cycles 1000
	$(BIN)/python -m benchmarks.dead_destinations

fuzz: $(VENV)/.dev  ## look for configs that the check chokes on, for a minute
	$(BIN)/python -m benchmarks.fuzz_check --seconds 60

soak: $(VENV)/.dev  ## servers fail while threads log, reload and fork, for ten minutes
	$(BIN)/python -m benchmarks.soak --minutes 10

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
