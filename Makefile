# What a developer types. `make` alone lists it. Needs Python 3.11 or newer and nothing else: everything goes into
# .venv, and a stamp file there remembers what is up to date.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EQUIPPED := $(VENV)/.equipped
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first Python on the path that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$python; break; }; done)

# Options for pytest, as in `make test PYTEST_ARGS="-k store"`.
PYTEST_ARGS ?= -n auto --dist loadgroup -q

.DEFAULT_GOAL := help
.PHONY: help run test check format bench trust build clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: $(INSTALLED)  ## Install, then run flows/hello_world.yaml (offline, on SQLite)
	@$(BIN)/penstock run flows/hello_world.yaml

test: check  ## Install what tests need, then check and test everything
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(EQUIPPED)  ## Lint, format and types, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(EQUIPPED)  ## Mend what the formatter and the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(EQUIPPED)  ## Measure speed and memory, beside a floor measured in the same run
	$(BIN)/python bench/run.py

trust: $(EQUIPPED)  ## Do all the harm of the fault matrix, and write docs/trust.md about it (half an hour)
	$(BIN)/python -m bench.trust --write docs/trust.md $(TRUST_ARGS)

build: $(EQUIPPED)  ## Build the wheel into dist/
	$(PIP) wheel --no-deps --wheel-dir dist .
	@ls dist

clean:  ## Remove everything that was made (the state of runs in .penstock/ stays)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer was found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv)," >&2; \
		echo "or say where it is: make PYTHON=/path/to/python" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) cannot make a virtual environment: its modules venv and ensurepip are missing." >&2; \
		echo "Install them (Debian, Ubuntu: apt-get install python3-venv), then type make again." >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# --group needs pip 25.1, which the pip that comes with Python need not be.
$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing penstock into $(VENV)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable .
	@touch $@

$(EQUIPPED): pyproject.toml $(INSTALLED)
	@echo "Installing what tests and checks need"
	@$(PIP) install --group dev
	@touch $@
