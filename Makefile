# The commands that people and CI use. `make demo` and `make test` need Python ≥ 3.11 with venv, and nothing else.
PYTHON ?= python3
VENV := .venv
# Test processes, each with a Neo4j of its own (1 GiB); 0: all in one, as with a Neo4j that is given.
WORKERS ?= $(if $(CONSENTLINE_TEST_NEO4J_URI),0,2)
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check bench soak lock clean

help:  ## list these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(STAMP)  ## the story loaded, served and asked; stays up until Ctrl-C
	@$(BIN)/consentline demo

test: $(STAMP)  ## every test, against a real Neo4j
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 30

check: $(STAMP)  ## lint, format, strict types, layers, schema drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/python -m pytest -q tests/unit/test_layers.py tests/unit/test_schema.py

bench: $(STAMP)  ## the comparisons, written to bench/results/, and their picture
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m bench

soak: $(STAMP)  ## objection cascades with a kill in every one; SEED=n repeats one
	$(BIN)/python -m tests.faults.cascades $(if $(SEED),--seed $(SEED))

lock: $(STAMP)  ## write constraints.txt anew from the pins in pyproject.toml
	$(BIN)/pip freeze --exclude-editable --exclude consentline > constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.x"; exit 1; }
	@echo "Preparing $(VENV) (once) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch $@

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
