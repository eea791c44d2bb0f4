"""Runs the scripts of exported pages in node."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[1] / "seq2seq" / "portable" / "web"
NODE = shutil.which("node") or shutil.which("nodejs")


def require_node() -> None:
    """Skip the test where node is not installed; in CI, fail."""
    if NODE is None:
        missing = "node is not installed: apt-get install nodejs"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)


def run_node(scripts: list[str], code: str, value: Any) -> Any:
    """Run scripts of the page, then ``code``, the body of an async function of ``input``; return what it returns.

    Args:
        scripts: names of files in `WEB`.
        code: JavaScript.
        value: the input, which is passed as JSON, as is the result.
    """
    require_node()
    page = "\n".join((WEB / name).read_text("utf-8") for name in scripts)
    read = 'const input = JSON.parse(require("fs").readFileSync(0, "utf-8"));'
    program = f"{page}\n{read}\n(async () => {{ {code} }})().then((value) => console.log(JSON.stringify(value)));"
    command = [NODE or "node", "-e", program]
    completed = subprocess.run(
        command, input=json.dumps(value), capture_output=True, encoding="utf-8", check=False, timeout=300
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    return json.loads(completed.stdout)
