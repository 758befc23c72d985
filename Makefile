# make run, make test: see README.md. Every target sets up what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
SOURCES := src tests bench fuzz

.PHONY: help run test check fix bench chaos fuzz lock docs clean

help: ## Show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.run-ready ## Run the demo: a complete node on this machine
	@exec $(BIN)/everpost demo $(ARGS)

test: .venv/.dev-ready ## Run the whole suite
	@scripts/setup-system
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/.dev-ready ## Format, lint, types, import contracts, rendered docs
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/ruff check -q $(SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || (cat .venv/lint-imports.log; exit 1)
	@$(BIN)/python -m scripts.render --check
	@echo "check: all fine"

fix: .venv/.dev-ready ## Format, mend what can be mended, render docs
	@$(BIN)/ruff format -q $(SOURCES)
	@$(BIN)/ruff check -q --fix $(SOURCES)
	@$(BIN)/python -m scripts.render

bench: .venv/.dev-ready ## Print the figures of docs/performance.md, measured now
	@scripts/setup-system
	@$(BIN)/python -m bench.run $(ARGS)

chaos: .venv/.dev-ready ## Kill workers under load for minutes (EVERPOST_CHAOS_SECONDS)
	@scripts/setup-system
	@EVERPOST_CHAOS_SECONDS=$${EVERPOST_CHAOS_SECONDS:-300} $(BIN)/python -m pytest -s tests/chaos $(ARGS)

fuzz: .venv/.dev-ready ## Run each fuzz target for FUZZ_SECONDS (default 60)
	@scripts/fuzz $${FUZZ_SECONDS:-60}

lock: .venv/.dev-ready ## Pin the newest allowed versions of all dependencies
	@scripts/lock

clean: ## Remove the virtual environment and caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.run-ready: scripts/setup requirements.lock pyproject.toml
	@scripts/setup run

.venv/.dev-ready: scripts/setup requirements.lock requirements-dev.lock pyproject.toml
	@scripts/setup dev
