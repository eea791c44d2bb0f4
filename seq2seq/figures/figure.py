"""Measure and draw one figure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.figures import pictures, report
from seq2seq.figures.bleu_curves import WidthCurve, bleu_by_length, bleu_of_width
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.contexts import project
from seq2seq.figures.exposure_bias import measure_exposure
from seq2seq.figures.interpolation import interpolate
from seq2seq.figures.sentences import context_panels, interpolation_ends
from seq2seq.figures.systems import System

TITLES = {
    Figure.lengths: "BLEU by source length",
    Figure.attention: "BLEU by source length, with and without attention",
    Figure.reversal: "BLEU by source length and encoder direction",
}


class FigureResult(NamedTuple):
    """A figure with its data."""

    data: Any
    """For `report.write_json`."""
    table: str
    figure: Any
    """A matplotlib figure."""


def make_figure(
    figure: Figure,
    systems_by_run: Mapping[str, Sequence[System]],
    corpus: Corpus | None,
    pairs: Sequence[Pair],
    config: LaboratoryConfig,
) -> FigureResult:
    """Measure and draw a figure.

    Args:
        figure: which one.
        systems_by_run: for each given run, by name, the systems to compare: its variants, or the run itself.
        corpus: the source of sentences if the settings give none.
        pairs: the test set; empty if the figure does not need one.
        config: the settings.

    Raises:
        ConfigError, DataError, RunError: a system cannot be measured.
    """
    systems = [system for group in systems_by_run.values() for system in group]
    if figure is Figure.contexts:
        panels = context_panels(config.contexts, corpus)
        projections = [(system.name, [project(system, panel) for panel in panels]) for system in systems]
        table, drawn = report.contexts_table(projections), pictures.contexts_figure(projections)
        return FigureResult(dict(projections), table, drawn)
    if figure is Figure.interpolation:
        steps, beam_size = config.interpolation.steps, config.beam_size
        ends = interpolation_ends(config.interpolation, corpus)
        walks = [interpolate(systems[0], first, second, steps, beam_size) for first, second in ends]
        drawn = pictures.interpolation_figure(systems[0].name, walks)
        return FigureResult(walks, report.interpolation_table(walks), drawn)
    if figure is Figure.exposure:
        exposures = [measure_exposure(system, pairs, config.exposure) for system in systems]
        return FigureResult(exposures, report.exposure_table(exposures), pictures.exposure_figure(exposures))
    if figure is Figure.width:
        width_curves = [
            WidthCurve(name, [bleu_of_width(system, pairs, config.beam_size, config.bootstrap) for system in group])
            for name, group in systems_by_run.items()
        ]
        return FigureResult(width_curves, report.width_table(width_curves), pictures.width_figure(width_curves))
    curves = [bleu_by_length(system, pairs, config.lengths, config.beam_size, config.bootstrap) for system in systems]
    return FigureResult(curves, report.lengths_table(curves), pictures.lengths_figure(TITLES[figure], curves))
