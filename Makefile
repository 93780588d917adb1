# Each target does what it needs first: the environment is .venv in this checkout, with the versions of requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-from-lock
PYTEST_ARGS ?=
# Files of tests are dealt to as many processes as there are cores, at most eight.
PYTEST_SHARED := -n logical --maxprocesses 8 --dist loadfile

.DEFAULT_GOAL := help
# Benchmarks that end within minutes.
BENCHMARKS := latency runtimes labels footprint ingest enumeration levelcheck

.PHONY: help install demo test coverage lint bench bench-faults docs lock system-packages

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(STAMP) ## Virtual environment with locked dependencies, and this checkout in it

$(STAMP): requirements.lock pyproject.toml
	@tools/virtual_environment.sh "$(PYTHON)" $(VENV)
	@echo "Installing the locked dependencies into $(VENV): minutes, the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## A node and a small archive on this machine number simulated films
	$(BIN)/numbering demo

system-packages:
	@tools/system_packages.sh

test: install system-packages ## All tests; none is skipped
	$(BIN)/python -m pytest $(PYTEST_SHARED) $(PYTEST_ARGS)

coverage: install system-packages ## All tests, and which lines and branches none of them ran
	$(BIN)/python -m pytest $(PYTEST_SHARED) --cov --cov-report=term $(PYTEST_ARGS)

lint: install ## Style, types, and generated documents that are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.documents --check

bench: install system-packages ## The figures that the documents quote, save those of bench-faults
	@set -e; for name in $(BENCHMARKS); do echo "== benchmarks/$$name.py"; $(BIN)/python "benchmarks/$$name.py"; done

bench-faults: install system-packages ## Kills under load, a soak of half an hour, fuzzing for two core-hours
	$(BIN)/python benchmarks/kill.py --backend both
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/fuzz.py

docs: install ## Write the generated documents (settings, JSON Schemas)
	$(BIN)/python -m tools.documents

lock: ## Resolve the dependencies anew, in an empty environment, into requirements.lock
	@tools/lock.sh "$(PYTHON)" > requirements.lock.new && mv requirements.lock.new requirements.lock
