"""Quantize a model to 8-bit weights: a quarter of the size, and integer products on processors that have them.

python recipes/quantize.py run=runs/demo
python recipes/translate.py run=runs/demo-int8 < in.txt > out.txt
"""

from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import QuantizeConfig
from seq2seq.report.help import assignment, command


@recipe
def main(config: QuantizeConfig) -> None:
    """Write a new model folder with quantized weights; the run is not changed."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.model.weights import save_quantized
    from seq2seq.run.card import write_card
    from seq2seq.run.folder import MODEL, RunFolder, new_model_folder
    from seq2seq.system.hub import results_folder

    output = Path(config.output or f"{results_folder(config.run)}-int8").expanduser()
    folder = RunFolder.open(config.run)
    loaded = folder.load()
    with new_model_folder(folder, loaded, output) as made:
        save_quantized(loaded.network, made / MODEL, loaded.metadata)
        write_card(made, folder, name=output.name, facts={"origin": "The matrices are rounded to 8 bits."})
    before, after = ((path / MODEL).stat().st_size / 1e6 for path in (folder.path, output))
    print(f"{output / MODEL}: {after:,.1f} MB instead of {before:,.1f} MB")
    print(f"next: {command('evaluate')} {assignment('run', output)}")


if __name__ == "__main__":
    main()
