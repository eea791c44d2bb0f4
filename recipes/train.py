"""Train a translator, score it on the test set and show what it does.

    python recipes/train.py run=runs/demo
    python recipes/train.py experiment=multi30k_attention run=runs/multi30k
    python recipes/train.py data.train.source=train.en data.train.target=train.de \
        data.validation.source=val.en data.validation.target=val.de run=runs/mine
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from seq2seq.config import TrainConfig, command, recipe
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.order import Order, Place
from seq2seq.data.table import Table, encode_corpus
from seq2seq.device import choose_device
from seq2seq.evaluation import Validator, evaluate, score_table
from seq2seq.model import Network
from seq2seq.run import learn_shortlist, open_run, prepare_tokenizers
from seq2seq.text.corpus import read_corpora
from seq2seq.train import Trainer
from seq2seq.train.curve import draw_learning_curve
from seq2seq.translate import Translator


def stream(table: Table, order: Order, place: Place) -> Iterator[tuple[Batch, Place]]:
    """Batches of the table from a place on."""
    for rows, after in order.stream(place):
        yield make_batch(*table.rows(rows)), after


@recipe
def main(config: TrainConfig) -> float:
    """Train in the run folder; the best validation score is returned to whoever sweeps."""
    config.check()
    folder = Path(config.run).expanduser()
    device = choose_device(config.training.device)
    corpus, validation, test = read_corpora(config.data)
    open_run(folder, config)

    tokenizers = prepare_tokenizers(folder, config.tokenizer, corpus)
    table = encode_corpus(corpus, tokenizers, folder / "data/train.arrow", config.data.filters)
    validation_table = encode_corpus(validation, tokenizers, folder / "data/validation.arrow", None)
    print(
        f"{corpus.name}: {table.report}; {tokenizers.source.size:,} source and {tokenizers.target.size:,} target pieces"
    )

    torch.manual_seed(config.seed)
    network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters, on {device}")
    order = Order(table.source_lengths, table.target_lengths, config.batch, config.seed)
    trainer = Trainer(
        network,
        partial(stream, table, order),
        Validator(validation_table, list(validation), tokenizers, config.batch, config.training.precision),
        folder,
        config=config.training,
        loss=config.loss,
        optimizer=config.optimizer,
        schedule=config.schedule,
        seed=config.seed,
        device=device,
    )
    progress = trainer.fit()
    draw_learning_curve(folder)
    learn_shortlist(folder, config.shortlist, table, tokenizers, config.seed)

    translator = Translator.load(folder, config.training.device)
    if test is not None:
        pairs = list(test)
        scores = evaluate(translator, pairs, config.search.beam_size, folder=folder, name="test", corpus=test.name)
        print(f"\n{test.name}, {len(pairs):,} sentences\n{score_table(scores)}\n")
        for pair in pairs[:: max(1, len(pairs) // 5)][:5]:
            print(
                f"source     {pair.source}\nreference  {pair.target}\nmodel      {translator.translate(pair.source)}\n"
            )
    print(f"run folder: {folder}\nnext:       echo 'Where is my key?' | {command('translate')} run={folder}")
    best = progress.best(config.training.criterion)
    return best.value(config.training.criterion) if best else float("nan")


if __name__ == "__main__":
    main()
