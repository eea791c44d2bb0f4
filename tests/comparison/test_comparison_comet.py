"""COMET behind its package's interface, with a package made up for the test."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from comparing import FIRST, REFERENCES, SECOND

from seq2seq.comparison.comet import Comet, CometMetric
from seq2seq.comparison.significance import Significance, paired_test
from seq2seq.errors import ConfigError
from seq2seq.metrics.score import measure

SOURCES = [f"source {number}" for number in range(5)]


class Model:
    """Scores a translation by its share of the reference's words, and records its inputs."""

    def __init__(self):
        self.asked = []

    def predict(self, samples, batch_size, gpus, progress_bar):
        self.asked.append((samples, gpus))
        shares = []
        for sample in samples:
            expected = sample["ref"].split()
            shares.append(sum(word in sample["mt"].split() for word in expected) / len(expected))
        return SimpleNamespace(scores=shares, system_score=sum(shares) / len(shares))


@pytest.fixture
def model(monkeypatch):
    """An installed package ``comet`` that has one model, ``some/model``."""
    result, package = Model(), ModuleType("comet")

    def download_model(name):
        if name != "some/model":
            raise KeyError(f"Model '{name}' not supported\nby COMET")
        return "/cache/model.ckpt"

    def load_from_checkpoint(path):
        assert path == "/cache/model.ckpt"
        return result

    package.download_model, package.load_from_checkpoint = download_model, load_from_checkpoint
    package.__version__ = "2.2.0"
    monkeypatch.setitem(sys.modules, "comet", package)
    return result


def test_the_score_is_the_mean_of_the_model_scores(model):
    comet = Comet("some/model", SOURCES, REFERENCES, on_gpu=False)
    measured = measure(CometMetric(comet), FIRST, REFERENCES, 50)
    shares = comet.scores(FIRST)
    assert measured.score == pytest.approx(100 * sum(shares) / 5)
    assert measured.ci95[0] <= measured.score <= measured.ci95[1]
    assert measured.signature == "nrefs:1|bs:50|seed:12345|model:some/model|scale:100|version:2.2.0"
    ((samples, gpus),) = model.asked  # each text once
    assert samples[0] == {"src": "source 0", "mt": FIRST[0], "ref": REFERENCES[0]}
    assert gpus == 0


def test_comet_differences_have_the_same_significance_tests(model):
    comet = Comet("some/model", SOURCES * 4, REFERENCES * 4, on_gpu=True)
    for kind in Significance:
        (p,) = paired_test(
            kind, ["nichts"] * 20, REFERENCES * 4, REFERENCES * 4, {"comet": CometMetric(comet)}, 100
        ).values()
        assert p.values[0] < 0.02
        assert "model:some/model" in p.signature
    (same,) = paired_test(
        Significance.bootstrap, SECOND * 4, SECOND * 4, REFERENCES * 4, {"comet": CometMetric(comet)}, 100
    ).values()
    assert same.values[0] > 0.5
    assert {gpus for _, gpus in model.asked} == {1}
    assert len(model.asked) == 3


def test_a_missing_model_is_reported_in_one_line(model):
    with pytest.raises(ConfigError, match="comet=no/model cannot be loaded") as raised:
        Comet("no/model", SOURCES, REFERENCES, on_gpu=False)
    assert "\n" not in str(raised.value)


def test_a_missing_package_is_reported_with_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "comet", None)
    with pytest.raises(ConfigError, match=r'^comet=some/model needs COMET: python -m pip install -e "\.\[comet\]".*$'):
        Comet("some/model", SOURCES, REFERENCES, on_gpu=False)
