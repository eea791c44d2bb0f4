"""One figure from beginning to end: measured, drawn, told."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.figures import contexts, interpolation, lengths, report, width
from seq2seq.figures import exposure_bias as exposure
from seq2seq.figures import pictures as picture
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.sentences import ends, panels
from seq2seq.figures.systems import System

TITLES = {
    Figure.lengths: "BLEU by source length",
    Figure.attention: "BLEU by source length, with attention and without",
    Figure.reversal: "BLEU by source length, by the direction in which the encoder reads",
}


class Drawn(NamedTuple):
    """What came of a figure."""

    found: Any
    """Its data, for `report.write`."""
    table: str
    save: Callable[[Path], None]
    """Writes the picture."""


def draw(
    figure: Figure,
    families: Mapping[str, Sequence[System]],
    corpus: Corpus | None,
    pairs: Sequence[Pair],
    config: LaboratoryConfig,
) -> Drawn:
    """Measure what a figure shows.

    Args:
        figure: which one.
        families: for each run that is named, by what to call it, the runs that stand for it in this figure.
        corpus: what sentences are taken from where none are named.
        pairs: to translate and to score; figures that do neither need none.
        config: what each figure may vary.

    Raises:
        ConfigError, DataError, RunError: as what is measured raises them.
    """
    systems = [system for members in families.values() for system in members]
    if figure is Figure.contexts:
        return _contexts(systems, panels(config.contexts, corpus))
    if figure is Figure.interpolation:
        return _interpolation(systems[0], ends(config.interpolation, corpus), config)
    if figure is Figure.exposure:
        exposures = [exposure.measure(system, pairs, config.exposure) for system in systems]
        return Drawn(exposures, report.exposure_table(exposures), partial(picture.draw_exposure, exposures))
    if figure is Figure.width:
        return _width(families, pairs, config)
    curves = [lengths.measure(system, pairs, config.lengths, config.beam_size, config.bootstrap) for system in systems]
    return Drawn(curves, report.lengths_table(curves), partial(picture.draw_lengths, TITLES[figure], curves))


def _contexts(systems: Sequence[System], chosen: Sequence[Sequence[str]]) -> Drawn:
    rows = [(system.name, [contexts.project(system, panel) for panel in chosen]) for system in systems]
    return Drawn(dict(rows), report.contexts_table(rows), partial(picture.draw_contexts, rows))


def _interpolation(system: System, between: Sequence[tuple[str, str]], config: LaboratoryConfig) -> Drawn:
    steps, beam_size = config.interpolation.steps, config.beam_size
    walks = [interpolation.interpolate(system, first, second, steps, beam_size) for first, second in between]
    return Drawn(walks, report.interpolation_table(walks), partial(picture.draw_interpolation, system.name, walks))


def _width(families: Mapping[str, Sequence[System]], pairs: Sequence[Pair], config: LaboratoryConfig) -> Drawn:
    found = [
        width.Family(name, [width.measure(system, pairs, config.beam_size, config.bootstrap) for system in members])
        for name, members in families.items()
    ]
    return Drawn(found, report.width_table(found), partial(picture.draw_width, found))
