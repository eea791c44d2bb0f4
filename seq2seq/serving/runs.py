"""The served runs: names, loading, descriptions."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.corpora.languages import language_tag
from seq2seq.errors import ConfigError
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.schemas import RunInfo
from seq2seq.system.hub import results_folder
from seq2seq.translation.translator import Translator


def run_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest trailing parts of the paths that distinguish the folders.

    Raises:
        ConfigError: two paths are the same folder.
    """
    parts = [folder.expanduser().resolve().parts for folder in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(path[-count:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    repeated = next(folder for number, folder in enumerate(folders) if parts[number] in parts[:number])
    raise ConfigError(f"{repeated} is named twice: remove it from runs")


def load_translators(config: ServeConfig) -> dict[str, Translator]:
    """Load all runs, in the order of the command, by name.

    Raises:
        RunError: a file is missing, damaged or foreign, or a run is a language model.
        ConfigError: two paths are the same folder, or the device or precision is unavailable.
    """
    runs = [config.run, *config.runs]
    return {
        name: Translator.load(run, config.device, config.precision)
        for name, run in zip(run_names([results_folder(run) for run in runs]), runs, strict=True)
    }


def run_info(name: str, translator: Translator) -> RunInfo:
    """Describe a run for the page."""
    member = translator.members[0]
    network = member.network.config
    encoder, decoder = (
        f"{part.layers} × {part.cell} of {part.size} units" for part in (network.encoder, network.decoder)
    )
    return RunInfo(
        name=name,
        encoder=f"{encoder}, {network.encoder.direction}",
        decoder=decoder,
        attention=str(network.attention),
        attends=translator.ensemble.attends,
        vocabulary_size=member.tokenizers.target.size,
        parameters=sum(parameter.numel() for parameter in member.network.parameters()),
        precision=str(member.precision),
        beam_size=translator.search.beam_size,
        source_language=language_tag(member.source_language),
        target_language=language_tag(member.target_language),
    )
