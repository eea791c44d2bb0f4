"""Export a model to a folder that translates without PyTorch: in Python, on the command line, and in a browser.

python recipes/export.py run=runs/demo output=exported
python recipes/export.py run=runs/demo output=exported precision=int8 search=greedy
python recipes/export.py output=exported check=true
"""

from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import ExportConfig


@recipe
def main(config: ExportConfig) -> None:
    """Write a new folder, or check on this machine one that exists; the run is not changed."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.export.folder import check_folder, export
    from seq2seq.run.folder import RunFolder
    from seq2seq.search import SearchConfig
    from seq2seq.system.hub import results_folder

    output = Path(config.output or f"{results_folder(config.run)}-portable").expanduser()
    if not config.check:
        run = RunFolder.open(config.run)
        search = config.search_config(run.section("search", SearchConfig))
        export(run, output, config.precision and config.precision.value, search)
    for line in check_folder(output):
        print(line)
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    print(f"{output}: {size / 1e6:,.1f} MB")
    print(f"next: python {output / 'translate.py'} < in.txt > out.txt, or open {output / 'index.html'} in a browser")


if __name__ == "__main__":
    main()
