# Two commands matter: `make demo` and `make test`. Each sets up what it needs.

VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
FOLDER  ?= demo
SERVE   ?= 1
SHELL   := /bin/sh

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Threads of OpenMP that wait must not spin: tests and trainers share the cores.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help demo test check format bench clean

help:
	@echo "make demo          a sample marketplace: train, evaluate, serve (SERVE=0: three requests, then stop)"
	@echo "make test          every check and every test"
	@echo "make check         ruff, mypy, import contracts"
	@echo "make format        let ruff rewrite what it can"
	@echo "make bench         every benchmark, small"
	@echo "make clean         remove $(VENV) and caches"

demo: $(STAMP)
	@$(BIN)/shortlist demo $(FOLDER) $(if $(filter 0,$(SERVE)),--once)

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	@set -e; for script in benchmarks/[!_]*.py; do \
	  echo; echo "== $$script --small"; $(BIN)/python $$script --small; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -exec rm -rf {} +

# The environment is made again when what it is made from changes.
$(STAMP): pyproject.toml requirements/constraints.txt requirements/venv.sh
	@sh requirements/venv.sh $(VENV)
	@touch $@
