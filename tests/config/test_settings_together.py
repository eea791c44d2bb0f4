"""Combined training settings: a run of two updates succeeds or is refused in one line."""

import json
import math
from itertools import combinations
from pathlib import Path

import pytest
from covering import BASE, LEFT_OUT, VALUES, Covering, Level, error_of, factors, merged, overrides, refusal
from test_conf import composed

from seq2seq import Translator
from seq2seq.config.recipes import TrainConfig
from seq2seq.settings import walk


@pytest.fixture(scope="module")
def base() -> TrainConfig:
    config = composed("train", overrides(BASE))
    assert isinstance(config, TrainConfig)
    return config


@pytest.fixture(scope="module")
def covering(base) -> Covering:
    return Covering(base)


def test_every_setting_is_tested_or_excluded_with_a_reason():
    named = {name for levels in factors().values() for level in levels for name in level}
    settings = {name for name, *_ in walk(TrainConfig())}
    assert settings - named - {*LEFT_OUT} == set()
    assert {*VALUES} - settings - {"schedule.warmup"} == set()
    assert all("\n" not in reason for reason in LEFT_OUT.values())


def test_a_level_is_checked_like_the_composed_config(base, covering):
    """`refusal` sets levels without Hydra, which takes a tenth of a second."""
    for level in covering.levels[:: len(covering.levels) // 4]:
        row = covering.row(level)
        config = composed("train", overrides(merged(row)))
        assert isinstance(config, TrainConfig)
        assert refusal(base, row) == error_of(config)


def trains(recipe, folder, row) -> bool:
    """Run a row, and return whether its settings are legal; errors that depend on the data must be one line."""
    arguments = overrides(merged(row))
    outcome = recipe("train", f"run={folder}", *arguments)
    if outcome.code:
        assert outcome.err.splitlines()[-1].startswith("error: "), (arguments, outcome.err)
        assert "Traceback" not in outcome.err, (arguments, outcome.err)
        diverged = "training has diverged" in outcome.err  # such as layer normalization over units that dropout zeroes
        filtered = "raise data.filters.max_length and data.filters.max_ratio" in outcome.err  # depends on token counts
        assert diverged or filtered or not folder.exists(), (arguments, outcome.err)
        return diverged or filtered
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert {record["kind"] for record in records} == {"train", "validation"}, arguments
    assert max(record["update"] for record in records) == 2 or "training.patience=1" in arguments
    assert all(math.isfinite(record["loss"]) for record in records), arguments
    assert (folder / "model.safetensors").exists()
    return True


NO_EFFECT = {
    "data.workers": "how many processes do the same",
    "training.device": "where the same is done; auto is cpu on a machine without a GPU",
    "training.save_minutes": "when a run is saved",
    "training.threads": "in how many threads the same is done",
    "training.precision": "auto is one of the other two, and float32 may be what the machine takes anyway",
    "embeddings.freeze": "needs vectors from a file: test_embeddings",
    "embeddings.unfreeze": "needs a run to start from: test_start",
}
"""Settings without effect on the results of these tests, with the reason."""
DIVERSE = {"search.method": "diverse_beam", "search.beam_size": 4, "search.n_best": 4}
UNSTEADY = {"schedule": "constant", "optimizer.learning_rate": 0.3, "training.updates": 20}
COMPANY: dict[str, Level] = {
    "loss.guided_until": {"loss.guided_attention": 2.0, "model.attention": "general"},
    "model.bridge_shared": {"model.decoder.layers": 2},
    "search.groups": DIVERSE,
    "search.diversity_strength": DIVERSE,
    "training.average": UNSTEADY,
    "training.average_count": UNSTEADY,
    "training.patience": UNSTEADY,
}
"""Further settings without which these have no effect: a run that improves until its end averages nothing."""


def results(folder: Path) -> tuple[object, ...]:
    """Return all results of a run except times."""
    files = sorted(path for pattern in ("*.safetensors", "*.model", "hypothes*") for path in folder.glob(pattern))
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    measured = [{name: value for name, value in record.items() if name != "tokens_per_second"} for record in records]
    translations: object = None
    if (folder / "shortlist.safetensors").exists():  # a translator, not a language model
        sentences = ["We work.", "Where is my key?", "She sees the old house."]
        translations = [
            (translation.text, translation.score, translation.n_best)
            for translation in Translator.load(folder).translate(sentences)
        ]
    return [(path.name, path.read_bytes()) for path in files], measured, translations


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_setting_changes_something(recipe, tmp_path, covering, part):
    """Runs with and without the setting differ, all other settings being equal."""
    longer: Level = {"training.updates": 6, "training.validate_every": 2, "training.log_every": 2}
    longer |= {"training.criterion": "loss"}
    made: dict[str, tuple[object, ...]] = {}

    def outcome(levels: tuple[tuple[str, int], ...], company: Level) -> tuple[object, ...]:
        settings = merged(covering.row(*levels))
        settings |= {name: value for name, value in longer.items() if name not in settings or "updates" in name}
        arguments = overrides(settings | company)
        if str(arguments) not in made:
            folder = tmp_path / str(len(made))
            assert recipe("train", f"run={folder}", *arguments).code == 0, arguments
            made[str(arguments)] = results(folder)
        return made[str(arguments)]

    idle = []
    for name in [name for name in covering.factors if name not in NO_EFFECT][part::4]:
        numbers, beside = range(len(covering.factors[name])), COMPANY.get(name, {})
        companies = [(number, company) for number in numbers for company in covering.company((name, number)) or [()]]
        tried = [(number, company) for number, company in companies if covering.legal(*company)]
        if not any(
            outcome(((name, number), *company), beside) != outcome(company, beside) for number, company in tried[:12]
        ):
            idle.append(name)
    assert idle == []


@pytest.mark.slow
def test_every_pair_of_settings_runs_or_is_refused_in_one_line(recipe, tmp_path, covering):
    refused, rows = 0, 0
    for number, levels in enumerate(covering.rows()):
        rows += 1
        refused += not trains(recipe, tmp_path / str(number), covering.row(*levels))
    assert refused < rows / 4


@pytest.mark.slow
def test_a_pair_is_refused_in_one_line(covering, base):
    for one, other in combinations(covering.levels, 2):
        if one[0] != other[0]:
            line = refusal(base, covering.row(one, other))
            assert line is None or line.isprintable()
