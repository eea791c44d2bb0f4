"""The notebook: made from its script, and it runs."""

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

LESSON = Path(__file__).parents[2] / "recipes" / "lesson" / "encoder_decoder.py"


def cells(path: Path) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]


def test_the_notebook_is_that_of_the_script():
    assert cells(LESSON.with_suffix(".ipynb")) == cells(LESSON)


def test_the_notebook_shows_what_it_computes_and_nothing_failed():
    notebook = jupytext.read(LESSON.with_suffix(".ipynb"))
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 8


@pytest.mark.slow
def test_the_lesson_runs_as_its_first_cell_says(tmp_path):
    made = tmp_path / "made.ipynb"
    command = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--execute", str(LESSON), "--output", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=LESSON.parents[2])
    assert done.returncode == 0, done.stderr
    told = [output.get("text", "") for cell in jupytext.read(made).cells for output in cell.get("outputs", [])]
    lines = [line for text in told for line in text.splitlines() if "exactly as the reference" in line]
    right = {name: int(rest.split()[0]) for name, _, rest in (line.partition(": ") for line in lines)}
    assert right["with attention"] > right["one vector"] > 20
