# The commands of the study; `make` alone lists them. Set-up needs make, a Python of 3.11 or newer and its venv module.
PYTHON ?= python3
RUN := .venv/bin/python

# glibc hands torch's large buffers back to the system and faults them in again, unless told otherwise before Python
# starts: a fifth of the training time. Large pages spare another twentieth. Compiled modules are kept, for importing
# torch without them takes twice as long.
export MALLOC_MMAP_THRESHOLD_ := 8589934592
export MALLOC_TRIM_THRESHOLD_ := 17179869184
export GLIBC_TUNABLES := glibc.malloc.hugetlb=1
unexport PYTHONDONTWRITEBYTECODE

# The files of tests are spread over the cores; those of one file share what they prepare.
SPREAD := -n logical --maxprocesses 4 --dist loadscope

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help python venv study book verify test test-slow test-all lint notebooks bench weights stress

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

python:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not installed: sudo apt install python3 python3-venv (Debian, Ubuntu)" >&2; exit 1; }

# ImageNet weights are asked for once an environment; `make weights` asks again. Without them the study still runs.
venv: python ## set up .venv from requirements.lock, and look for ImageNet weights
	@$(PYTHON) devnetlib/environment.py full
	@test -e .venv/weights-asked || { $(RUN) -m devnetlib weights; touch .venv/weights-asked; }

study: venv ## everything: set-up, all questions in the frozen lane, the notebooks, the book; WORDS="--splits 0-9" widens
	@$(RUN) -m devnetlib study --short --profile quick $(WORDS)
	@$(RUN) book/_ext/building.py

book: python ## execute the notebooks on stored results and build the book (no torch needed)
	@python=$$($(PYTHON) devnetlib/environment.py read --print-python) && "$$python" book/_ext/building.py

verify: python ## recompute every published number from its raw scores (no torch needed)
	@python=$$($(PYTHON) devnetlib/environment.py read --print-python) && "$$python" -m devnetlib verify-results

test: venv ## the fast tests
	@$(RUN) -m pytest $(SPREAD) -m "not slow"

test-slow: venv ## the slow tests: notebooks, the book, the built site in a browser
	@$(RUN) -m pytest $(SPREAD) -m "slow and not stress"

test-all: venv ## all tests
	@$(RUN) -m pytest $(SPREAD) -m "not stress"

stress: venv ## damaged, mixed, stale input tried 26,500 times (TRIALS=2 doubles); then a grid killed 100 times, an hour
	@$(RUN) -m pytest -n logical --maxprocesses 4 -m stress tests/stress
	@$(RUN) -m pytest -m stress --ignore tests/stress

lint: venv ## ruff, formatting, and that each notebook equals its script
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m pytest tests/test_house.py -k notebook

notebooks: venv ## bring each notebook and its script in line, the newer one leading, and clear outputs
	@$(RUN) -m jupytext --sync notebooks/*.py
	@$(RUN) -m nbconvert --log-level WARN --clear-output --inplace notebooks/*.ipynb

bench: venv ## time our training and evaluation beside a plain loop; WORDS="--quick --record" are passed on
	@$(RUN) -m devnetlib bench $(WORDS)

weights: venv ## look for ImageNet weights again
	@$(RUN) -m devnetlib weights
