"""Train a translator or a language model, score it on the test set and show what it does.

    python recipes/train.py run=runs/demo
    python recipes/train.py experiment=multi30k_attention run=runs/multi30k
    python recipes/train.py data.train.source=train.en data.train.target=train.de \
        data.validation.source=val.en data.validation.target=val.de run=runs/mine
    python recipes/train.py model=language_model data.train.target=mono.de data.validation.target=val.de run=runs/lm
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from seq2seq.config import TrainConfig, command, recipe
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.mixture import encode_mix
from seq2seq.data.order import Order, Place
from seq2seq.data.sampling import Resampler
from seq2seq.data.table import Encoded, encode_corpus
from seq2seq.device import choose_device
from seq2seq.embeddings import set_embeddings
from seq2seq.evaluation import Validator, evaluate, evaluate_language_model, score_table
from seq2seq.language_model import LanguageModel
from seq2seq.model import Network, slow_parts
from seq2seq.reward import Sampler
from seq2seq.run import learn_shortlist, open_run, prepare_tokenizers
from seq2seq.start import hold_start, take_weights
from seq2seq.text.corpus import Corpus, read_corpora, source_tags
from seq2seq.text.monolingual import read_targets, target_tokenizer, without_source
from seq2seq.train import Trainer, build_objective
from seq2seq.train.curve import draw_learning_curve
from seq2seq.translate import Translator


def stream(table: Encoded, order: Order, resample: Resampler, place: Place) -> Iterator[tuple[Batch, Place]]:
    """Batches of the table from a place on, cut into pieces anew where that is asked for."""
    for rows, after in order.stream(place):
        yield make_batch(*resample(table.rows(rows), after)), after


def judge_translator(folder: Path, config: TrainConfig, test: Corpus | None) -> None:
    """Score translations of the test set, where one is named, and show some."""
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


def judge_language_model(folder: Path, config: TrainConfig, test: Corpus | None) -> None:
    """How well the test set is predicted, where one is named."""
    model = LanguageModel.load(folder, config.training.device)
    if test is not None:
        texts = (pair.target for pair in test)
        found = evaluate_language_model(model, texts, folder=folder, name="test", corpus=test.name)
        print(f"\n{test.name}, {found.sentences:,} sentences\n{found.table()}\n")
    print(f"run folder: {folder}\nnext:       {command('suggest')} run={folder} prefix='Wo ist'")


@recipe
def main(config: TrainConfig) -> float:
    """Train in the run folder; the best validation score is returned to whoever sweeps."""
    config.check()
    folder = Path(config.run).expanduser()
    device = choose_device(config.training.device)
    translates = config.model.encoder.layers > 0
    data = config.data if translates else without_source(config.data)
    tokenizer = config.tokenizer if translates else target_tokenizer(config.tokenizer)
    corpus, validation, test = read_corpora(data) if translates else read_targets(data)
    start = None if config.training.start is None else Path(config.training.start).expanduser()
    if start is not None:
        hold_start(folder, start, config.model)
    open_run(folder, config)

    tokenizers = prepare_tokenizers(folder, tokenizer, corpus, source_tags(data), start)
    table = encode_mix(corpus, tokenizers, folder / "data/train.arrow", config.data.filters)
    validation_table = encode_corpus(validation, tokenizers, folder / "data/validation.arrow", None)
    print(f"{table.report}; {tokenizers.source.size:,} source and {tokenizers.target.size:,} target pieces")

    torch.manual_seed(config.seed)
    network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    for line in [*set_embeddings(network, tokenizers, config.embeddings), *slow_parts(config.model)]:
        print(line)
    print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters, on {device}")
    order = Order(table.source_lengths, table.target_lengths, config.batch, config.seed, table.weights)
    resample = Resampler(tokenizers, tokenizer, config.seed, source_tags(data))
    precision = config.training.precision
    objective = build_objective(
        config.loss,
        config.scheduled_sampling,
        config.risk,
        updates=config.training.updates,
        precision=precision,
        draw=Sampler(tokenizers, config.risk, precision),
    )
    trainer = Trainer(
        network,
        partial(stream, table, order, resample),
        Validator(validation_table, list(validation), tokenizers, config.batch, precision),
        folder,
        config=config.training,
        objective=objective,
        optimizer=config.optimizer,
        schedule=config.schedule,
        seed=config.seed,
        device=device,
        start=None if start is None else partial(take_weights, start),
    )
    progress = trainer.fit()
    draw_learning_curve(folder)
    if translates:
        learn_shortlist(folder, config.shortlist, table, tokenizers, config.seed)
        judge_translator(folder, config, test)
    else:
        judge_language_model(folder, config, test)
    best = progress.best(config.training.criterion)
    return best.value(config.training.criterion) if best else float("nan")


if __name__ == "__main__":
    main()
