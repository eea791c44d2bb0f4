# Both commands do all their own set-up: an environment in .venv, then the work.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow gpu lint clean

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

# What needs a GPU, in eight minutes at most: figures first, written to GPU_OUTPUT part by part, then tests. With
# PYTHON=… that Python is used as it is, and nothing is installed. Without a GPU it says what to do, and ends.
GPU_OUTPUT ?= runs/gpu
ifeq ($(origin PYTHON),file)
GPU_PYTHON := $(BIN)/python
gpu: .venv/installed
else
GPU_PYTHON := $(PYTHON)
endif

NO_GPU := f"PyTorch {torch.__version__} sees no GPU. If nvidia-smi lists one, install a build of PyTorch for CUDA \
(https://pytorch.org/get-started/locally) and run make gpu PYTHON=python3. make test needs no GPU."

gpu: export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
gpu:
	@$(GPU_PYTHON) -c 'import sys, torch; torch.cuda.is_available() or sys.exit($(NO_GPU))'
	mkdir -p $(GPU_OUTPUT)
	timeout 60 $(GPU_PYTHON) -m seq2seq.benchmark.host_waits > $(GPU_OUTPUT)/host_waits.json; waits=$$?; \
	timeout 250 $(GPU_PYTHON) recipes/benchmark.py device=cuda output=$(GPU_OUTPUT) \
	  "parts=[precisions,ceiling,translation]"; figures=$$?; \
	timeout 170 $(GPU_PYTHON) -m pytest -m gpu tests/test_gpu.py; tests=$$?; \
	exit $$((waits + figures + tests))

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
