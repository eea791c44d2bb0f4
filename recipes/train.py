"""Train a translator or a language model, score it on the test set and show what it does.

    python recipes/train.py run=runs/demo
    python recipes/train.py experiment=multi30k_attention run=runs/multi30k
    python recipes/train.py data.train.source=train.en data.train.target=train.de \
        data.validation.source=val.en data.validation.target=val.de run=runs/mine
    python recipes/train.py model=language_model data.train.target=mono.de data.validation.target=val.de run=runs/lm
"""

from functools import partial
from pathlib import Path

from seq2seq.config.hydra import recipe
from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.corpus import read_corpora, source_tags
from seq2seq.corpora.monolingual import read_targets
from seq2seq.data.batch_sampler import Order
from seq2seq.data.mixture import encode_mix
from seq2seq.data.preparation import prepared_corpus
from seq2seq.data.stream import batch_stream
from seq2seq.data.subword_resampling import Resampler
from seq2seq.evaluation.evaluate import Validator, judge
from seq2seq.model import Network, slow_path_warnings
from seq2seq.report.usage import command
from seq2seq.run.folder import CONFIG, learn_shortlist, prepare_tokenizers
from seq2seq.run.resume import opened_run
from seq2seq.system.device import choose_device, resolve_precision, set_seed
from seq2seq.system.lock import locked
from seq2seq.system.processes import count, first_before_others, is_first, rank
from seq2seq.system.threads import use_threads
from seq2seq.tokenizer.spelling import no_text
from seq2seq.training import Trainer, build_objective
from seq2seq.training.learning_curve import draw_learning_curve
from seq2seq.training.pretrained_embeddings import freeze_embeddings, set_embeddings
from seq2seq.training.warm_start import checked_start, inherited_frozen, load_start_weights
from seq2seq.translation.risk_sampler import Sampler


@recipe
def main(config: TrainConfig) -> float:
    """Train in the run folder; the best validation score is returned to whoever sweeps."""
    config.check()
    folder = Path(config.run).expanduser()
    if not (folder / CONFIG).exists():
        refuse_ignored(config)
    with locked(folder):
        return train(config, folder)


def train(config: TrainConfig, folder: Path) -> float:
    """From the corpus to the test set's scores, each step begun where a run that was stopped has left it."""
    device = choose_device(config.training.device)
    precision = resolve_precision(config.training.precision, device)
    threads = use_threads(config.training.threads)
    data, tokenizer = config.text()
    tags, cache = source_tags(data), data.cache_folder(folder)
    corpus, validation, test = read_corpora(data) if config.translates else read_targets(data)
    for text in (corpus, validation):  # read several times: from here on a file that changes is refused
        _ = text.fingerprint
    start = checked_start(folder, config.training.start, config.model, tokenizer, tags)
    frozen = inherited_frozen(folder, start, config.embeddings)
    with first_before_others(), opened_run(folder, config, frozen):
        tokenizers = prepare_tokenizers(folder, tokenizer, corpus, tags, start, cache)
        set_seed(config.seed)
        network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
        notes = [*set_embeddings(network, tokenizers, config.embeddings), *slow_path_warnings(config.model)]
        freeze_embeddings(network, frozen)
        notes += [f"embeddings: the {side} table is frozen" for side in frozen]

    with first_before_others():
        table = encode_mix(corpus, tokenizers, cache, data.filters, data.workers)
        validation_table = prepared_corpus(validation, tokenizers, cache, None, data.workers)
    print(f"{table.report}; {tokenizers.source.size:,} source and {tokenizers.target.size:,} target pieces")
    place = f"on {device} in {precision}{'' if count() == 1 else f', {count()} processes'}"
    place += f", {threads} thread{'s' * (threads > 1)}"
    print(*notes, f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters, {place}", sep="\n")

    order = Order(table.source_lengths, table.target_lengths, config.batch, config.seed, table.weights)
    draw = Sampler(tokenizers, config.risk, precision, data.target_language)
    progress = Trainer(
        network,
        batch_stream(table, order, Resampler(tokenizers, tokenizer, config.seed, tags), rank(), count()),
        Validator(
            validation_table,
            list(validation),
            tokenizers,
            config.batch,
            precision,
            search=config.search,
            target_language=data.target_language,
            criterion=config.training.criterion,
        ),
        folder,
        config=config.training,
        objective=build_objective(
            config.loss, config.scheduled_sampling, config.risk, config.training, draw, no_text(tokenizers.target)
        ),
        optimizer=config.optimizer,
        schedule=config.schedule,
        seed=config.seed,
        device=device,
        start=None if start is None else partial(load_start_weights, start),
    ).fit()
    if is_first():
        draw_learning_curve(folder)
    following = f"{command('suggest')} run={folder} prefix='Wo ist'"
    if config.translates:
        if is_first():
            learn_shortlist(folder, config.shortlist, table, tokenizers, config.seed)
        following = f"echo 'Where is my key?' | {command('translate')} run={folder}"
    if test is not None:
        print(f"\n{judge(folder, test, config.training.device)}")
    print(f"run folder: {folder}\nnext:       {following}")
    return progress.best_value(config.training.criterion)


if __name__ == "__main__":
    main()
