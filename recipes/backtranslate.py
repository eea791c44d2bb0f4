"""Translate text of the target language back: synthetic sources for authentic targets, more text to train on.

python recipes/backtranslate.py run=runs/de-en input=mono.de output=back
python recipes/backtranslate.py run=runs/de-en input=mono.de.gz output=back beam_size=5 n_best=5
python recipes/backtranslate.py run=runs/de-en input=mono.de output=back search=sampling n_best=4
"""

from pathlib import Path

from seq2seq.config.hydra import recipe
from seq2seq.config.recipes import BacktranslateConfig
from seq2seq.corpora.config import DataConfig, MoreConfig
from seq2seq.corpora.lines import read_input
from seq2seq.report.help import command, overrides
from seq2seq.run.folder import RunFolder
from seq2seq.translation.answer import asked_of
from seq2seq.translation.synthetic_text import SOURCE, TARGET, back_translate, write_pairs
from seq2seq.translation.translator import Translator


@recipe
def main(config: BacktranslateConfig) -> None:
    """Write source.txt and target.txt into a new folder; the next command is printed."""
    output = Path(config.output or f"{config.run.rstrip('/')}-synthetic").expanduser()
    reverse = Translator.load(config.run, config.device, config.precision)
    lines, count = read_input(config.input)
    search = config.search.applied(reverse.search.beam(1))
    search = asked_of(reverse.together, search, config.beam_size, config.n_best).search
    own_tag = RunFolder.open(config.run).section("data", DataConfig).source_tag
    pairs = back_translate(reverse, lines, search, tag=own_tag if config.tag is None else config.tag)
    print(f"{config.input}: {write_pairs(pairs, output, count)} in {output}")
    made = MoreConfig(source=str(output / SOURCE), target=str(output / TARGET), source_tag="<bt>")
    (more,) = overrides(DataConfig(more=[made]), "data")
    print(f"next, beside the settings of the forward run: {command('train')} {more}")


if __name__ == "__main__":
    main()
