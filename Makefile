# Each target creates the environment .venv if it is missing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow gpu lint clean

.venv/installed: pyproject.toml
	@echo "installing PyTorch and the other packages into .venv: about 2 GB, some minutes"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# Train on the built-in corpus, evaluate on its test set, and translate new sentences.
demo: .venv/installed
	$(BIN)/python -m seq2seq.demo

# Two processes with one thread each take half the time of one process with two threads. Files start in the order of
# tests/conftest.py, long ones first, because a long file that starts last runs alone.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Run the tests that take minutes.
slow: .venv/installed
	$(BIN)/python -m pytest -m slow

# Measure on a GPU, write results to GPU_OUTPUT after each part, and run the GPU tests: at most eight minutes in all.
# PYTHON=… uses that Python and installs nothing. Without a GPU it prints what to do.
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
	timeout 150 $(GPU_PYTHON) recipes/benchmark.py device=cuda output=$(GPU_OUTPUT) \
	  "parts=[precisions,translation]"; figures=$$?; \
	timeout 100 $(GPU_PYTHON) -m tests.tools.ceiling device=cuda output=$(GPU_OUTPUT); ceiling=$$?; \
	timeout 170 $(GPU_PYTHON) -m pytest -m gpu tests/test_gpu.py; tests=$$?; \
	exit $$((waits + figures + ceiling + tests))

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
