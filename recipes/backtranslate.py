"""Back-translation: synthetic sources for monolingual text of the target language, as additional training data.

python recipes/backtranslate.py run=runs/de-en input=mono.de output=back
python recipes/backtranslate.py run=runs/de-en input=mono.de.gz output=back beam_size=5 n_best=5
python recipes/backtranslate.py run=runs/de-en input=mono.de output=back search=sampling n_best=4
"""

from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import BacktranslateConfig
from seq2seq.corpora.config import DataConfig, MoreConfig
from seq2seq.corpora.lines import read_input
from seq2seq.report.help import command, overrides


@recipe
def main(config: BacktranslateConfig) -> None:
    """Write source.txt and target.txt into a new folder and print the next command."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.run.folder import RunFolder
    from seq2seq.system.hub import results_folder
    from seq2seq.translation.decoding import search_options
    from seq2seq.translation.io import ENCODING, with_progress
    from seq2seq.translation.synthetic_text import SOURCE, TARGET, back_translate, write_pairs
    from seq2seq.translation.translator import Translator

    output = Path(config.output or f"{results_folder(config.run)}-synthetic").expanduser()
    reverse = Translator.load(config.run, config.device, config.precision)
    lines, count = read_input(config.input, None, config.encoding, ENCODING)
    search = config.search.with_short_names(config.beam_size, config.n_best).apply_to(reverse.search.beam(1))
    search = search_options(reverse.ensemble, search, None, None).search
    own_tag = RunFolder.open(config.run).section("data", DataConfig).source_tag
    tag = own_tag if config.tag is None else config.tag
    reverse.require_tag(tag)
    pairs = back_translate(reverse, lines, search, tag=tag)
    shown = with_progress(pairs, count, "translating")
    print(f"{config.input}: {write_pairs(shown, output, reverse.normalization)} in {output}")
    synthetic = MoreConfig(source=str(output / SOURCE), target=str(output / TARGET), source_tag="<bt>")
    (more,) = overrides(DataConfig(more=[synthetic]), "data")
    print(f"next, with the settings of the forward run: {command('train')} {more}")


if __name__ == "__main__":
    main()
