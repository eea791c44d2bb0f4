"""Processor-dependent tests (products, precisions, training, translation), run in a separate process."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EACH = ["test_cell", "test_products", "test_translator", "test_update"]
"""Files of tests with products, precisions, training and translation, for the fast suite."""
MORE = [
    *("test_arithmetic", "test_benchmark_translation", "test_ceiling", "test_decoder", "test_encoder", "test_machine"),
    *("test_network", "test_prepared_decoder", "test_stepper", "test_trainer", "test_training"),
]
RECIPES = [
    "test_benchmark_measures_training_and_translation_without_a_run",
    "test_translate_and_evaluate_in_8_bits_with_a_shortlist",
]
EXTENTS = {"few": (EACH, 100), "all": (EACH + MORE, 300)}
"""Test files, and the minimum number of their tests that pass on any processor; others may be skipped."""


def run_tests_of_processors(settings: dict[str, str], extent: str) -> None:
    """Run the tests with these environment variables; a failure shows pytest's output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    files, fewest = EXTENTS[extent]
    result = [path for name in files for path in sorted((ROOT / "tests").rglob(f"{name}.py"))]
    assert len(result) == len(files)
    tests = [*map(str, result), *(f"tests/test_recipes.py::{name}" for name in RECIPES)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = inherited | {"OMP_NUM_THREADS": "1"} | settings
    completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert int(re.findall(r"(\d+) passed", completed.stdout)[-1]) >= fewest, completed.stdout
