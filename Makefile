# Two commands do it all on a fresh machine with Python 3.11+:  make run   and   make test
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Two workers on the two cores that this is meant for; which tests stay together: tests/conftest.py
PYTEST_FLAGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help install run test test-compose lint format bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## set up .venv (again only when pyproject.toml or constraints.txt changed)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON): Python 3.11 or newer is needed; got $$($(PYTHON) -V 2>&1 | head -n 1)." \
	       "Try: make install PYTHON=python3.12" >&2; exit 2; }
	@if [ -x $(BIN)/python ] && ! $(BIN)/python -c ''; then rm -rf $(VENV); fi
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make a virtual environment." \
	       "On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

run: $(STAMP)  ## run the card-fraud scenario: a verdict and a report
	$(BIN)/sandbox run fraud

test: $(STAMP)  ## run the tests
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-compose: $(STAMP)  ## start docker-compose.yml for real: an engine of its own, root, minutes
	SANDBOX_TEST_COMPOSE=1 $(BIN)/python -m pytest tests/compose

lint: $(STAMP)  ## style, types and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy sandbox
	@for world in scenarios/*/world.py; do $(BIN)/mypy $$world || exit 1; done  # all are called world
	$(BIN)/lint-imports

format: $(STAMP)  ## put the style right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP)  ## measure the headline figures beside their peers, into benchmarks/RESULTS.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m benchmarks

clean:  ## remove the environment, caches and runs
	rm -rf $(VENV) runs build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
