# What a developer types. `make setup` installs what the others need; each of them calls it, and it is quick when done.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check bench torture format lock reference clean

BIN := .venv/bin

help:             ## show this list
	@sed -n 's/^\([a-z-]*\): .*##/  make \1 ##/p' $(MAKEFILE_LIST) | sed 's/ ##/\t/' | expand -t 20

setup:            ## install everything that the others need (.venv, RabbitMQ, PostgreSQL, clamd, Chromium)
	@scripts/setup

demo: setup       ## applications arrive, are checked, mapped, delivered; one fails and is sent again
	$(BIN)/gateway demo

test: setup       ## every test that takes less than a quarter of an hour in sum, a file at a time on every core
	$(BIN)/pytest -m "not long" -n auto --dist loadfile --no-loadscope-reorder

test-long: setup  ## the tests that take longer
	$(BIN)/pytest -m long

check: setup      ## style, types, which part may import which, documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check-docs

bench: setup      ## throughput and latency, each next to the bare loop measured in the same run
	$(BIN)/python -m tests.benchmarks

torture: setup    ## break everything around the gateway, then count: SEED=… MINUTES=… (in each shape); writes docs/reliability.md
	$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),2) --seeded --write docs/reliability.md

format: setup     ## put the code into its one form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: setup       ## bring the lock files in line with pyproject.toml (keeps versions that still fit)
	@scripts/lock

reference: setup  ## write the pages of docs/reference/ that come from the code
	$(BIN)/python scripts/settings-reference > docs/reference/settings.md
	$(BIN)/python scripts/interface-reference commands > docs/reference/command-line.md
	$(BIN)/python scripts/interface-reference problems > docs/reference/problem-codes.md
	$(BIN)/python scripts/interface-reference case > docs/reference/case.md

clean:            ## remove what the others made, .venv included
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
