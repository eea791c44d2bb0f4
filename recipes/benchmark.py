"""Measure training and translation here, beside the floor that this machine's arithmetic and memory set.

python recipes/benchmark.py
python recipes/benchmark.py run=runs/demo
python recipes/benchmark.py data.train.source=train.en data.train.target=train.de
python recipes/benchmark.py parts=[scale]
python recipes/benchmark.py parts=[threads]
python recipes/benchmark.py parts=[precisions,ceiling] device=cuda
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
from seq2seq.benchmark.training import measure_precisions, measure_training
from seq2seq.benchmark.translation import measure_translation
from seq2seq.benchmark.workload import prepare
from seq2seq.config.hydra import recipe
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
    path, parts = output / "benchmark.json", set(config.parts)

    def keep(part: str, result: Any, table: str) -> None:
        found[part] = result
        report.write_report(path, found)
        print(f"\n{table}", flush=True)

    report.write_report(path, found)
    print(report.machine_table(machine))
    if config.against.command is not None:
        rounds = list(run_against(config.against, config.against.own or own_command(sys.argv, output)))
        medians = ratio_of_medians(rounds, config.against.lower_is_better)
        kept = {"rounds": report.plain(rounds), "ratio_of_medians": medians}
        keep("against", kept, report.against_table(rounds, medians))
        parts = set()
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
    if Part.scale in parts:
        scale = list(measure_scale(config, machine))
        draw_scale(scale, output / "benchmark.png")
        keep("scale", scale, report.scale_table(scale))
    if Part.ceiling in parts:
        ceiling = list(measure_ceiling(config, machine))
        keep("ceiling", ceiling, report.ceiling_table(ceiling))
    if Part.preparation in parts:
        preparation = list(measure_preparation(config))
        keep("preparation", preparation, report.preparation_table(preparation))
    if Part.threads in parts:
        threads = list(measure_threads(sys.argv, output))
        keep("threads", threads, report.threads_table(threads))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
