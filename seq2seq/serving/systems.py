"""The runs that are served: what they are called, and what is told of them."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.errors import ConfigError
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.schemas import Run
from seq2seq.translation.translator import Translator


def names(folders: Sequence[Path]) -> list[str]:
    """The last parts of the folders' names, as many of them as tell the folders apart.

    Raises:
        ConfigError: a folder is named twice.
    """
    parts = [folder.expanduser().resolve().parts for folder in folders]
    for count in range(1, max(map(len, parts)) + 1):
        found = ["/".join(one[-count:]) for one in parts]
        if len(set(found)) == len(found):
            return found
    twice = next(folder for number, folder in enumerate(folders) if parts[number] in parts[:number])
    raise ConfigError(f"{twice} is named twice: leave it out of runs")


def load_systems(config: ServeConfig) -> dict[str, Translator]:
    """Every run by its name, in the order of the command.

    Raises:
        RunError: a file is missing, damaged or foreign, or a run is a language model.
        ConfigError: a folder is named twice, or the device or precision is not to be had.
    """
    folders = [Path(run) for run in [config.run, *config.runs]]
    return {
        name: Translator.load(folder, config.device, config.precision)
        for name, folder in zip(names(folders), folders, strict=True)
    }


def described(name: str, translator: Translator) -> Run:
    """What the page says of a run."""
    member = translator.members[0]
    network = member.network.config
    encoder, decoder = (
        f"{part.layers} × {part.cell} of {part.size} units" for part in (network.encoder, network.decoder)
    )
    return Run(
        name=name,
        encoder=f"{encoder}, {network.encoder.direction}",
        decoder=decoder,
        attention=str(network.attention),
        attends=translator.ensemble.attends,
        pieces=member.tokenizers.target.size,
        parameters=sum(parameter.numel() for parameter in member.network.parameters()),
        precision=str(member.precision),
        beam_size=translator.search.beam_size,
    )
