"""Measure training and translation here, next to the lower bound that this machine's arithmetic and memory set.

python recipes/benchmark.py
python recipes/benchmark.py run=runs/demo
python recipes/benchmark.py data.train.source=train.en data.train.target=train.de
python recipes/benchmark.py parts=[precisions] device=cuda
python recipes/benchmark.py parts=[preparation] preparation.pairs=[100000,1000000,10000000]
python recipes/benchmark.py run=runs/demo parts=[serving] serving.clients=32

In a clone, `python -m tests.tools.ceiling`, `scale`, `threads` and `against` compare with other programs and sizes.
"""

from pathlib import Path
from typing import Any

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq import __version__
from seq2seq.benchmark.config import BenchmarkConfig, Part


@recipe
def main(config: BenchmarkConfig) -> None:
    """Print tables, and write the same figures to benchmark.json."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.system.lock import locked_output

    output = Path(config.output).expanduser()
    with locked_output(output):
        measure(config, output / "benchmark.json")


def measure(config: BenchmarkConfig, path: Path) -> None:
    """Measure each part in turn. The report is written after each part, so an error loses no earlier figure."""
    from seq2seq.benchmark import report
    from seq2seq.benchmark.machine import measure_machine
    from seq2seq.benchmark.preparation import measure_preparation
    from seq2seq.benchmark.serving import measure_serving
    from seq2seq.benchmark.training import measure_precisions, measure_training
    from seq2seq.benchmark.translation import measure_translation
    from seq2seq.benchmark.workload import prepare
    from seq2seq.system.device import choose_device

    machine = measure_machine(choose_device(config.device), config.measure)
    sections: dict[str, Any] = {"seq2seq": __version__, "settings": config, "machine": machine}
    parts = set(config.parts)

    def keep(part: str, result: Any, table: str) -> None:
        sections[part] = result
        report.write_report(path, sections)
        print(f"\n{table}", flush=True)

    report.write_report(path, sections)
    print(report.machine_table(machine))
    if {Part.training, Part.precisions, Part.translation, Part.serving} & parts:
        workload = prepare(config)
        if Part.training in parts:
            training = measure_training(config, workload, machine)
            keep("training", training, report.training_table(training))
        if Part.precisions in parts:
            precisions = list(measure_precisions(config, workload, machine))
            keep("precisions", precisions, report.precisions_table(precisions))
        if Part.translation in parts:
            translation = measure_translation(config, workload, machine)
            keep("translation", translation, report.translation_table(translation))
        if Part.serving in parts:
            serving = measure_serving(config, workload)
            keep("serving", serving, report.serving_table(serving))
    if Part.preparation in parts:
        preparation = list(measure_preparation(config))
        keep("preparation", preparation, report.preparation_table(preparation))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
