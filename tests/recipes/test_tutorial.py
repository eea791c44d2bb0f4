"""The tutorial: the notebook equals its script, contains its outputs, and runs."""

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

TUTORIAL = Path(__file__).parents[2] / "recipes" / "tutorial" / "encoder_decoder.py"


def cells(path: Path) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]


def test_the_notebook_has_the_cells_of_the_script():
    assert cells(TUTORIAL.with_suffix(".ipynb")) == cells(TUTORIAL)


def test_the_notebook_contains_its_outputs_and_no_errors():
    notebook = jupytext.read(TUTORIAL.with_suffix(".ipynb"))
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 8


@pytest.mark.slow
def test_the_tutorial_runs_with_the_command_in_its_first_cell(tmp_path):
    notebook_path = tmp_path / "made.ipynb"
    command = [
        sys.executable,
        "-m",
        "jupytext",
        "--to",
        "ipynb",
        "--execute",
        str(TUTORIAL),
        "--output",
        str(notebook_path),
    ]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TUTORIAL.parents[2])
    assert completed.returncode == 0, completed.stderr
    texts = [
        output.get("text", "") for cell in jupytext.read(notebook_path).cells for output in cell.get("outputs", [])
    ]
    lines = [line for text in texts for line in text.splitlines() if "equal to the reference" in line]
    correct = {name: int(rest.split()[0]) for name, _, rest in (line.partition(": ") for line in lines)}
    assert correct["with attention"] > correct["context vector"] > max(20, correct["at the start only"])
