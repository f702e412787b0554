# Every target makes its own virtual environment in .venv; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test mutants soak lowest docs lint format bench clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(READY) ## Make .venv and install everything into it

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Installing into $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(READY)

demo: $(READY) ## Run the main job, from a batch of images to the contract suite, in front of you
	@$(BIN)/python examples/demo.py

test: $(READY) ## Pass every test (as root on Debian it installs PostgreSQL, nginx and Chromium for them)
	@scripts/engines.sh
	@$(BIN)/python -m pytest -n auto --dist worksteal

mutants: $(READY) ## Run the contract suite against every broken mock; show which test caught which
	@PYTHONPATH=tests $(BIN)/python -m contracts.mutants $(ONLY)

soak: $(READY) ## Kill the mock a hundred times under load, on SQLite and PostgreSQL, and lose nothing
	@scripts/engines.sh
	@PYTHONPATH=tests $(BIN)/python -m lasting

lowest: $(READY) ## Run the contract suite on the lowest versions that pyproject.toml allows
	@scripts/lowest.sh

docs: $(READY) ## Write the tables of the documents that are made from the code
	@PYTHONPATH=tests $(BIN)/python -m tables

lint: $(READY) ## Check style, types and floors (ruff, mypy strict, import-linter)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure, beside bare Flask and other tools; writes bench/RESULTS.md and bench/SCALE.md
	@scripts/engines.sh
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

clean: ## Remove .venv and what tools left
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
