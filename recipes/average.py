"""Average the weights of several models: the checkpoints that training.average chose, or similar runs.

python recipes/average.py run=runs/demo
python recipes/average.py run=runs/a runs=[runs/b,runs/c] output=runs/mean
"""

from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import AverageConfig
from seq2seq.report.help import assignment, command


@recipe
def main(config: AverageConfig) -> None:
    """Write a new model folder with averaged weights; the runs are not changed."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.model.weights import save_weights, set_weights
    from seq2seq.run.card import write_card
    from seq2seq.run.folder import MODEL, RunFolder, new_model_folder
    from seq2seq.system.hub import local_folder, results_folder
    from seq2seq.training.averaging import average_checkpoints, average_runs, chosen_checkpoints

    output = Path(config.output or f"{results_folder(config.run)}-average").expanduser()
    folder = RunFolder.open(config.run)
    run, loaded = folder.path, folder.load()
    if config.runs:
        others = [local_folder(name) for name in config.runs]
        averaged, weights = [run, *others], average_runs(run, loaded, others)
    else:
        averaged = chosen_checkpoints(run)
        weights = average_checkpoints(folder, loaded, averaged)
    set_weights(loaded.network, weights, run)
    with new_model_folder(folder, loaded, output) as made:
        save_weights(loaded.network, made / MODEL, loaded.metadata)
        origin = f"The mean of the weights of {len(averaged)} {'runs' if config.runs else 'checkpoints'}."
        write_card(made, folder, name=output.name, facts={"origin": origin})
    print(f"{output / MODEL}: the mean of {', '.join(map(str, averaged))}")
    print(f"next: {command('evaluate')} {assignment('run', output)}")


if __name__ == "__main__":
    main()
