# On a fresh clone with Python 3.11 or newer, every target below sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
HASHED := install --require-hashes
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
PACKAGES := connector adapters tests

.DEFAULT_GOAL := help
.PHONY: crash-matrix help demo test simulate soak fuzz lint format bench lock clean

help:
	@echo "make demo    the real agent against simulated partners, through two billing periods"
	@echo "make test    all tests"
	@echo "make simulate  months of seeded life with faults and crashes (SEEDS=200, or SEED=7 STEPS=120 for one; LIFE=owed)"
	@echo "make crash-matrix  kill the agent before and after every write it makes, and compare what is left"
	@echo "make soak    a year of 2,000 agreements with faults: memory, threads, files, store (AGREEMENTS=200 MONTHS=6)"
	@echo "make fuzz    every field of every partner's answers spoilt in every way (make test tries a spread of them)"
	@echo "make lint    style, types, and which module may import which"
	@echo "make format  put the sources into shape"
	@echo "make bench   how long a round takes, and how many calls it costs, as the number of agreements grows"
	@echo "make lock    write the hashed requirement files anew from pyproject.toml"
	@echo "make clean   remove everything that these targets made"

demo: $(VENV)/.agent
	$(BIN)/connector demo

test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist loadfile

# A failing seed says how to see it again: make simulate SEED=7 STEPS=120
SEEDS ?= 20
simulate: $(VENV)/.dev
	PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED) --trace) $(if $(STEPS),--steps $(STEPS)) $(if $(LIFE),--life $(LIFE))

soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak

fuzz: $(VENV)/.dev
	FUZZ=all $(BIN)/pytest -n auto tests/fuzz

crash-matrix: $(VENV)/.dev
	$(BIN)/python -m tests.crash

lint: $(VENV)/.dev
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/ruff format --check $(PACKAGES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.dev
	$(BIN)/ruff check --fix $(PACKAGES)
	$(BIN)/ruff format $(PACKAGES)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks

# `make lock UPGRADE=--upgrade` takes the newest versions; without it, what is pinned stays.
lock: $(VENV)/.dev
	$(LOCK) $(UPGRADE) -o requirements.txt pyproject.toml
	$(LOCK) $(UPGRADE) --extra dev -o requirements-dev.txt pyproject.toml
	$(LOCK) $(UPGRADE) --only-build-deps --build-deps-for wheel -c requirements-dev.txt -o requirements-build.txt pyproject.toml

clean:
	rm -rf $(VENV) .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

# What the agent runs with. The stamps are younger than the files that they were made from.
$(VENV)/.agent: requirements.txt requirements-build.txt pyproject.toml | $(BIN)/python
	$(PIP) $(HASHED) -r requirements-build.txt
	$(PIP) $(HASHED) -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.agent
	$(PIP) $(HASHED) -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "PSA Connector needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
