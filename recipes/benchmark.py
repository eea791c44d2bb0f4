"""Measure training and translation here, beside the floor that this machine's arithmetic and memory set.

python recipes/benchmark.py
python recipes/benchmark.py run=runs/demo
python recipes/benchmark.py data.train.source=train.en data.train.target=train.de
python recipes/benchmark.py parts=[scale]
python recipes/benchmark.py parts=[threads]
python recipes/benchmark.py parts=[ceiling] device=cuda
python recipes/benchmark.py parts=[preparation] preparation.pairs=[100000,1000000,10000000]
python recipes/benchmark.py run=runs/demo parts=[serving] serving.clients=32
"""

import sys
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.benchmark import report
from seq2seq.benchmark.against import own_command, ratio_of_medians, run_against
from seq2seq.benchmark.ceiling import measure_ceiling
from seq2seq.benchmark.config import BenchmarkConfig, Part
from seq2seq.benchmark.machine import measure_machine
from seq2seq.benchmark.picture import draw_scale
from seq2seq.benchmark.preparation import measure_preparation
from seq2seq.benchmark.scale import measure_scale
from seq2seq.benchmark.serving import measure_serving
from seq2seq.benchmark.threads import measure_threads
from seq2seq.benchmark.training import measure_training
from seq2seq.benchmark.translation import measure_translation
from seq2seq.benchmark.workload import prepare
from seq2seq.config import recipe
from seq2seq.system.device import choose_device
from seq2seq.system.lock import locked_output


@recipe
def main(config: BenchmarkConfig) -> None:
    """Print tables; the same figures go to benchmark.json."""
    config.check()
    output = Path(config.output).expanduser()
    with locked_output(output):
        measure(config, output)


def measure(config: BenchmarkConfig, output: Path) -> None:
    """Measure each part in turn; what has been measured is kept whatever becomes of the next."""
    machine = measure_machine(choose_device(config.device), config.measure)
    found: dict[str, Any] = {"seq2seq": __version__, "settings": config, "machine": machine}
    print(report.machine_table(machine))
    path = output / "benchmark.json"
    report.write_report(path, found)
    if config.against.command is not None:
        rounds = list(run_against(config.against, config.against.own or own_command(sys.argv, output)))
        medians = ratio_of_medians(rounds, config.against.lower_is_better)
        found["against"] = {"rounds": report.plain(rounds), "ratio_of_medians": medians}
        report.write_report(path, found)
        print(f"\n{report.against_table(rounds, medians)}")
    elif {Part.training, Part.translation, Part.serving} & set(config.parts):
        workload = prepare(config)
        if Part.training in config.parts:
            found["training"] = measure_training(config, workload, machine)
            report.write_report(path, found)
            print(f"\n{report.training_table(found['training'])}", flush=True)
        if Part.translation in config.parts:
            found["translation"] = measure_translation(config, workload, machine)
            report.write_report(path, found)
            print(f"\n{report.translation_table(found['translation'])}", flush=True)
        if Part.serving in config.parts:
            found["serving"] = measure_serving(config, workload)
            report.write_report(path, found)
            print(f"\n{report.serving_table(found['serving'])}", flush=True)
    if config.against.command is None and Part.scale in config.parts:
        found["scale"] = list(measure_scale(config, machine))
        draw_scale(found["scale"], output / "benchmark.png")
        report.write_report(path, found)
        print(f"\n{report.scale_table(found['scale'])}", flush=True)
    if config.against.command is None and Part.ceiling in config.parts:
        found["ceiling"] = list(measure_ceiling(config, machine))
        report.write_report(path, found)
        print(f"\n{report.ceiling_table(found['ceiling'])}")
    if config.against.command is None and Part.preparation in config.parts:
        found["preparation"] = list(measure_preparation(config))
        report.write_report(path, found)
        print(f"\n{report.preparation_table(found['preparation'])}")
    if config.against.command is None and Part.threads in config.parts:
        found["threads"] = list(measure_threads(sys.argv, output))
        report.write_report(path, found)
        print(f"\n{report.threads_table(found['threads'])}")
    print(f"\n{path}")


if __name__ == "__main__":
    main()
