# Both commands do all their own set-up: an environment in .venv, then the work.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# The main job: train on the built-in corpus, evaluate on its test set, translate sentences never seen.
demo: .venv/installed
	$(BIN)/python recipes/train.py run=runs/demo

# Two processes with a thread each take half as long as one with two.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# What takes minutes.
slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
