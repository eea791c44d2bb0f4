"""Compile seq2seq/portable/web/kernels.ts, the arithmetic of exported pages: python -m tests.tools.build_kernels

Writes kernels.wasm beside it. Uses AssemblyScript's asc, or downloads it with npx if it is not installed.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VERSION = "0.28.20"
"""Another version of AssemblyScript writes other bytes."""

WEB = Path(__file__).parents[2] / "seq2seq" / "portable" / "web"
OPTIONS = ("-O3", "--noAssert", "--enable", "simd", "--runtime", "stub")
DOWNLOAD = ("npx", "--yes", "--package", f"assemblyscript@{VERSION}", "asc")


def installed_compiler() -> list[str] | None:
    """The command of asc, if it is installed in the right version."""
    asc = shutil.which("asc")
    if asc is None:
        return None
    version = subprocess.run([asc, "--version"], capture_output=True, encoding="utf-8", check=False).stdout
    return [asc] if version.split()[-1:] == [VERSION] else None


def build(compiler: Sequence[str], output: Path) -> None:
    """Compile the kernels.

    Raises:
        CalledProcessError: the compiler failed; its messages are on standard error.
    """
    # A relative path: the compiler may write the name of its input.
    subprocess.run([*compiler, "kernels.ts", *OPTIONS, "--outFile", str(output)], cwd=WEB, check=True)


def main() -> None:
    """Write kernels.wasm."""
    compiler = installed_compiler()
    if compiler is None and shutil.which("npx") is None:
        sys.exit("npx is not installed: apt-get install npm")
    try:
        build(compiler or DOWNLOAD, WEB / "kernels.wasm")
    except subprocess.CalledProcessError as error:
        sys.exit(f"AssemblyScript failed with exit code {error.returncode}")


if __name__ == "__main__":
    main()
