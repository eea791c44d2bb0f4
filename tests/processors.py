"""Processor-dependent tests (products, precisions, training, translation), run in a separate process."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
FEWEST = {"few": 60, "all": 300}
"""The minimum number of tests that pass on any processor; others may be skipped."""
PRECISIONS = "test_translation_does_not_depend_on_the_batch_in_any_precision"
EACH = ["model/test_cell.py", "inference/test_products.py", "benchmark/test_update.py"]
EACH += [f"translation/test_translator.py::{PRECISIONS}"]
"""Tests of products, training and, with a network that is trained first, precisions and translation."""
MORE = [
    *("test_arithmetic", "test_benchmark_translation", "test_ceiling", "test_decoder", "test_encoder", "test_machine"),
    *("test_network", "test_prepared_decoder", "test_stepper", "test_trainer", "test_training", "test_translator"),
]
RECIPES = [
    "test_recipes.py::test_benchmark_measures_training_and_translation_without_a_run",
    "test_recipes.py::test_translate_and_evaluate_in_8_bits_with_a_shortlist",
]


def run_tests_of_processors(settings: dict[str, str], extent: str) -> None:
    """Run the tests with these environment variables; a failure shows pytest's output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    files = [path for name in MORE for path in sorted(TESTS.rglob(f"{name}.py"))]
    assert len(files) == len(MORE)
    more = [*files, *(TESTS / name for name in RECIPES)]
    tests = map(str, [*(TESTS / name for name in EACH), *(more if extent == "all" else [])])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = inherited | {"OMP_NUM_THREADS": "1"} | settings
    completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert int(re.findall(r"(\d+) passed", completed.stdout)[-1]) >= FEWEST[extent], completed.stdout
