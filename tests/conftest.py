"""Test selection, small trained runs shared by several tests, and fixtures that call recipes.

Slow modules are imported inside functions, because the main process of `pytest -n` does not need them.
"""

import gc
import logging
import os
import pickle
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from exported_runs import Exported

TINY = [
    "data.builtin.train_size=300",
    "data.builtin.validation_size=8",
    "data.builtin.test_size=8",
    "tokenizer.size=400",
    "model.embedding_size=16",
    "model.encoder.size=12",
    "model.decoder.size=20",
    "optimizer.learning_rate=0.0002",
    "schedule.warmup=1",
    "training.updates=20",
    "training.validate_every=10",
    "training.log_every=5",
    "training.samples=0",  # drawing their attention takes half the time of so short a training
    "training.average_count=2",
    "batch.tokens=500",
    "search.beam_size=2",
    # An almost untrained network never predicts EOS: its translations end at this limit.
    "search.max_length_ratio=0.5",
    "search.max_length_offset=5",
]


def without_data(overrides: list[str]) -> list[str]:
    """The overrides that do not name data."""
    return [override for override in overrides if not override.startswith("data.")]


KNOWN = {
    "We work.": "Wir arbeiten.",
    "She works.": "Sie arbeitet.",
    "Where is my key?": "Wo ist mein Schlüssel?",
    "Where is the house?": "Wo ist das Haus?",
    "The house is old.": "Das Haus ist alt.",
    "The old man sleeps.": "Der alte Mann schläft.",
    "I see the old house.": "Ich sehe das alte Haus.",
    "I do not see the man.": "Ich sehe den Mann nicht.",
    "The woman sells her car today.": "Die Frau verkauft heute ihr Auto.",
    "The man who bought the house works.": "Der Mann, der das Haus kaufte, arbeitet.",
    "My friend does not want to sell it.": "Mein Freund will es nicht verkaufen.",
    "We were in the city yesterday.": "Wir waren gestern in der Stadt.",
}
LEARNED = [
    "tokenizer.size=300",
    "model.embedding_size=32",
    "model.encoder.size=32",
    "model.decoder.size=64",
    "model.dropout=0",
    "loss.label_smoothing=0",
    "model.embedding_range=2",
    "model.initial_range=0.2",
    "optimizer.learning_rate=0.01",
    "schedule.warmup=1",
    "training.updates=80",
    "training.validate_every=80",
    "training.samples=0",
    "batch.tokens=1000",
    "search.beam_size=2",
]
"""With wide embeddings a small network learns from the first update on; otherwise it needs hundreds of updates."""


LONG = {"test_kill.py", "test_other_systems.py", "test_small_processor.py", "test_startup.py", "test_without_onednn.py"}
"""Files with few and long tests."""
WITHOUT_ONEDNN = "TESTS_WITHOUT_ONEDNN"
"""Environment variable: if it is set, tests run without oneDNN."""


def runs_slow(config: pytest.Config) -> bool:
    """Return whether this is `make slow`."""
    return config.option.markexpr == "slow"


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests without the mark `gpu` and from their child processes: ``device=auto`` is the CPU.

    These tests compare exact bits and warnings, which differ between kinds of devices.
    """
    logging.getLogger("seq2seq").setLevel(logging.INFO)  # as in the recipes, so that training logs its progress
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection(session: pytest.Session) -> None:
    """Set the number of hypothesis examples, and disable garbage collection during imports.

    With `-n`, pytest calls this function only in the processes that run tests.
    """
    from hypothesis import settings

    settings.register_profile("fast", deadline=None, max_examples=10)
    settings.register_profile("slow", deadline=None, max_examples=100)
    settings.load_profile("slow" if runs_slow(session.config) else "fast")
    if os.environ.get(WITHOUT_ONEDNN):
        leave_onednn_out()
    compose_faster()
    compose_once()
    os.fsync = lambda descriptor: None  # no power fails here, and waiting for the disk takes a tenth of the time
    gc.disable()


def compose_faster() -> None:
    """Stop Hydra from composing all settings twice, and from copying the schemas of all recipes each time.

    The first composition only reads ``hydra.mode``, which ``-m`` sets here. A schema is copied again before it is used.
    """
    from hydra._internal.hydra import Hydra
    from hydra.core.config_store import ConfigStore

    ConfigStore.__deepcopy__ = lambda self, memo: self

    mode = Hydra.get_mode
    Hydra.get_mode = lambda self, config_name, overrides: (
        mode(self, config_name, overrides) if any("hydra." in override for override in overrides) else None
    )


def compose_once() -> None:
    """Let Hydra compose the same choices of files once; it sets single values afterwards, in a copy.

    Experiment files of the tests themselves are composed each time, as their content changes.
    """
    from hydra._internal import config_loader_impl as loader
    from hydra._internal import defaults_list

    create, compose = loader.create_defaults_list, loader.ConfigLoaderImpl._compose_config_from_defaults_list
    interpolations = defaults_list._create_interpolation_map
    created: dict[object, defaults_list.DefaultsList] = {}
    composed: dict[object, bytes] = {}

    def key(repository: Any, *words: object) -> object | None:
        sources = [(source.provider, source.path) for source in repository.get_sources()]
        own = {provider for provider, _ in sources} <= {"hydra", "main", "schema"} and "file_" not in repr(words)
        return (*sources, *words) if own else None

    def create_once(repo: Any, config_name: Any, overrides_list: list[Any], **how: Any) -> defaults_list.DefaultsList:
        given = [each for each in overrides_list if not each.is_sweep_override()]
        groups = [each for each in given if repo.group_exists(each.key_or_group) and not isinstance(each.value(), dict)]
        found = key(repo, config_name, *how.items(), *(each.input_line for each in groups))
        if found is None:
            return create(repo, config_name, overrides_list, **how)
        if found not in created:
            created[found] = create(repo, config_name, groups, **how)
        known, values = created[found], [each for each in given if each not in groups]
        return defaults_list.DefaultsList(known.defaults, known.defaults_tree, values, known.overrides)

    def compose_a_copy(self: Any, defaults: list[Any], repo: Any) -> Any:
        found = key(repo, *map(repr, defaults))
        if found is None:
            return compose(self, defaults, repo)
        if found not in composed:
            composed[found] = pickle.dumps(compose(self, defaults, repo))
        return pickle.loads(composed[found])  # faster than a deep copy

    loader.create_defaults_list = create_once
    loader.ConfigLoaderImpl._compose_config_from_defaults_list = compose_a_copy
    defaults_list._create_interpolation_map = lambda overrides, defaults, self_added: (
        interpolations(overrides, defaults, self_added) if any(each.is_interpolation() for each in defaults) else None
    )


def leave_onednn_out() -> None:
    """Imitate a PyTorch that was built without oneDNN and FBGEMM, as on other architectures."""
    import torch

    from seq2seq.system import capability, integer

    torch.backends.mkldnn.is_available = lambda: False
    torch.backends.mkldnn.set_flags(False)
    capability.KERNELS = (integer.QnnpackKernel,)


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, which would take a third of the time.

    Without a GPU, a seed is that of the CPU alone: for other devices, PyTorch formats the stack each time.
    """
    if torch := sys.modules.get("torch"):
        torch.manual_seed = torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed
        read_sections_once()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def read_sections_once() -> None:
    """Check the same section of config.yaml once, and return copies."""
    from seq2seq.run.folder import RunFolder

    section, known = RunFolder.section, {}

    def copied(self: RunFolder, name: str, schema: type) -> Any:
        key = schema, repr(self.settings.get(name))
        if key not in known:
            known[key] = section(self, name, schema)
        return deepcopy(known[key])

    RunFolder.section = copied


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Move hypothesis tests, grid cases outside the covering sample, and what CI runs separately to the slow suite."""
    items.sort(key=lambda item: item.path.name not in LONG)  # start long tests first
    grids = defaultdict(list)
    for item in items:
        if item.get_closest_marker("ci"):
            item.add_marker("slow")
        if runs_slow(config) and getattr(item.function, "is_hypothesis_test", False):
            item.add_marker("slow")
        if item.get_closest_marker("grid"):
            grids[item.nodeid.split("[")[0]].append(item)
    for grid in grids.values():
        for item in set(grid) - set(covering(grid)):
            item.add_marker("slow")


def covering(grid: list[pytest.Function]) -> list[pytest.Function]:
    """Choose cases of a test that contain every value of every parameter, except skipped cases.

    With `grid(2)`, every pair of values of two parameters occurs. The choice is greedy: the case with the most missing
    values, and among equals the case whose values were chosen least often.
    """
    [size] = grid[0].get_closest_marker("grid").args or [1]
    cases = {item: [(name, id(value)) for name, value in item.callspec.params.items()] for item in grid}
    values = {item: set(combinations(cases[item], size)) for item in grid if not skipped(item)}
    missing, chosen = set().union(*values.values()), []
    times: Counter[tuple[tuple[str, int], ...]] = Counter()
    while missing:
        best = max(values, key=lambda item: (len(values[item] & missing), -sum(times[value] for value in values[item])))
        chosen.append(best)
        times.update(values[best])
        missing -= values[best]
    return chosen


def skipped(item: pytest.Function) -> bool:
    """Return whether a case is skipped on this processor."""
    return any(mark.args[0] for mark in item.iter_markers("skipif"))


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``recipe("train", "seed=2")`` runs recipes/train.py with these overrides."""
    return lambda name, *overrides: run_main(f"seq2seq.recipes.{name}", overrides, monkeypatch, capsys)


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``tool("ceiling", "seed=2")`` runs tests/tools/ceiling.py with these overrides."""
    return lambda name, *overrides: run_main(f"tests.tools.{name}", overrides, monkeypatch, capsys)


def run_main(
    module: str, overrides: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Outcome:
    """Run a module's main function as a program with these arguments."""
    monkeypatch.setattr(sys, "argv", [f"{module.rpartition('.')[2]}.py", *overrides])
    capsys.readouterr()
    code = 0
    try:
        import_module(module).main()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)


@pytest.fixture(autouse=True)
def _no_learning_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that trains draws no learning curve, which would take a quarter of its time; fixtures of more scope do."""
    if training_run := sys.modules.get("seq2seq.pipeline.training_run"):
        draw = lambda folder: (folder / "learning_curve.png").write_bytes(b"")  # noqa: E731
        monkeypatch.setattr(training_run, "draw_learning_curve", draw)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an almost untrained run; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", f"run={folder}", "model=attention", *TINY, "training.samples=3"])
        import_module("seq2seq.recipes.train").main()
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> "Exported":
    """A run with random weights and a source tag, exported in float32 and in int8; tests must not change it."""
    from exported_runs import Exported, make_run

    from seq2seq.export.folder import export

    place = tmp_path_factory.mktemp("exported")
    run = make_run(place / "run", source_tag="<2en>", ending=0.5)
    for precision in ("float32", "int8"):
        export(run, place / precision, precision)
    return Exported(run, place / "float32", place / "int8")


@pytest.fixture(scope="session")
def learned_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has memorized a dozen sentences; tests must not change it."""
    folder = tmp_path_factory.mktemp("learned")
    for language, lines in (("en", KNOWN.keys()), ("de", KNOWN.values())):
        (folder / f"known.{language}").write_text("\n".join(lines) + "\n", "utf-8")
    files = [
        f"data.{split}.{side}={folder / 'known'}.{language}"
        for split in ("train", "validation", "test")
        for side, language in (("source", "en"), ("target", "de"))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", f"run={folder / 'run'}", "model=attention", *files, *LEARNED])
        import_module("seq2seq.recipes.train").main()
    return folder / "run"
