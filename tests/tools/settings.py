"""Command line and report of the measuring tools: the settings of recipes/benchmark.py and those of the tool."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq import __version__
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine, measure_machine
from seq2seq.benchmark.report import machine_table, write_report
from seq2seq.config.error_lines import one_line_errors
from seq2seq.config.help import meaning
from seq2seq.config.schemas import conf_folder, register
from seq2seq.settings import override_value, validate, walk
from seq2seq.system.device import choose_device
from seq2seq.system.lock import locked_output

Own = TypeVar("Own")


def read_settings(schema: type[Own], overrides: Sequence[str]) -> Own:
    """A tool's own settings from ``NAME=VALUE`` words."""
    merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.from_dotlist(list(overrides)))
    settings: Any = OmegaConf.to_object(merged)
    validate(settings)
    return settings  # type: ignore[no-any-return]


def benchmark_settings(overrides: Sequence[str]) -> BenchmarkConfig:
    """The settings of recipes/benchmark.py, composed by Hydra as the recipe does."""
    register("benchmark")
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config: Any = OmegaConf.to_object(compose("benchmark", overrides=list(overrides)))
    validate(config)
    config.check()
    return config  # type: ignore[no-any-return]


def run_tool(
    name: str, schema: type[Own], measure: Callable[[Own, BenchmarkConfig, Machine], tuple[Any, str]], description: str
) -> None:
    """Read the command line, measure, print the table, and write the figures to ``output``/NAME.json.

    Args:
        name: the tool's name; its own settings begin with ``NAME.``.
        schema: the dataclass of its own settings.
        measure: returns the figures and their table.
        description: printed by ``--help``.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    prefix = f"{name}."
    own = [word.removeprefix(prefix) for word in sys.argv[1:] if word.startswith(prefix)]
    others = [word for word in sys.argv[1:] if not word.startswith(prefix)]
    if "--help" in others:
        print(f"{description}\nSettings of recipes/benchmark.py, and:")
        for path, item, value in walk(schema()):
            print(f"  {prefix}{path} = {override_value(value)}\n      {meaning(item)}")
        return
    with one_line_errors(schema()):
        settings = read_settings(schema, own)
    with one_line_errors(BenchmarkConfig()):
        config = benchmark_settings(others)
        output = Path(config.output).expanduser()
        with locked_output(output):
            machine = measure_machine(choose_device(config.device), config.measure)
            print(machine_table(machine), flush=True)
            figures, table = measure(settings, config, machine)
            file = output / f"{name}.json"
            sections = {"seq2seq": __version__, "settings": config, f"{name} settings": settings, "machine": machine}
            write_report(file, {**sections, name: figures})
            print(f"\n{table}\n\n{file}")
