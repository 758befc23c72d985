# Every target sets up what it needs first. ARGS go to the program that is run:
#   make run ARGS="--base-port 20000"      make test ARGS="tests/mailbox -k search"
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
SOURCES := src tests bench fuzz scripts

.PHONY: help run test check fix bench chaos fuzz lock clean

help: ## Show this
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

run: ## A complete node with demo accounts on this machine
	@scripts/setup run
	@exec $(BIN)/everpost demo $(ARGS)

test: ## The whole suite
	@scripts/setup dev
	@scripts/setup-system test
	@$(BIN)/python -m pytest $(ARGS)

check: ## Format, lint, types, import contracts, rendered documents
	@scripts/setup dev
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "check: make fix formats them" >&2; exit 1; }
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/python scripts/render.py --check
	@echo "check: all fine"

fix: ## Format, mend what lint can mend, render documents
	@scripts/setup dev
	@$(BIN)/ruff check --quiet --fix-only $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)
	@$(BIN)/python scripts/render.py

bench: ## Delivery and reading, measured
	@scripts/setup dev
	@scripts/setup-system test
	@$(BIN)/python -m bench.run $(ARGS)

chaos: ## Workers killed under load, for FOR=300 seconds an engine
	@scripts/setup dev
	@scripts/setup-system test
	@EVERPOST_CHAOS_SECONDS=$(or $(FOR),300) $(BIN)/python -m pytest -s tests/chaos $(ARGS)

fuzz: ## Every target under fuzz/, for FOR=60 seconds each
	@scripts/setup dev
	@scripts/fuzz $(or $(FOR),60) $(ARGS)

lock: ## Pin dependencies anew; ARGS=--upgrade for newer ones
	@scripts/setup dev
	@scripts/lock $(ARGS)

clean: ## Remove .venv and what the tools keep
	@rm -rf .venv .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	@find . -name __pycache__ -prune -exec rm -rf {} +
