import pytest
import sacrebleu
import torch
from abilities import needs_bfloat16
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.batch import make_batch
from seq2seq.metrics.similarity import Similarity
from seq2seq.model import ModelConfig, Network
from seq2seq.model.choices import AttentionKind
from seq2seq.model.config import DecoderConfig, EncoderConfig
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.training.config import RewardMetric, RiskConfig, RiskKind
from seq2seq.translation.risk_sampler import RewardedSampler

TEXTS = ["the cat sat on the mat.", "a dog ran", "the dog sat on the cat, and the cat ran.", "mat"]
WORDS = ["the", "cat", "sat", "on", "mat", ".", ",", "dog's", "3,000", "a"]
words = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(hypotheses=st.lists(words, min_size=1, max_size=4), reference=words)
def test_rewards_are_sacrebleus_sentence_scores(hypotheses, reference):
    """Except for equal texts, such as two empty ones, which sacreBLEU scores 0."""
    bleu, chrf = (Similarity(metric)(hypotheses, reference) for metric in RewardMetric)
    for rewards, score in ((bleu, sacrebleu.sentence_bleu), (chrf, sacrebleu.sentence_chrf)):
        expected = [1 if text == reference else score(text, [reference]).score / 100 for text in hypotheses]
        assert rewards == pytest.approx(expected)


def test_reward_is_between_0_and_1_and_1_for_the_reference():
    for metric in RewardMetric:
        result = Similarity(metric)([TEXTS[0], "the cat sat on a mat.", "zebra", ""], TEXTS[0])
        assert result[0] == pytest.approx(1.0)
        assert 0.2 < result[1] < 1
        assert result[3] == 0.0


@pytest.fixture(scope="module")
def tokenizers():
    one = train_tokenizer(TEXTS * 5, TokenizerConfig(size=300), "the test")
    return Tokenizers(one, one)


@pytest.fixture
def network(tokenizers):
    torch.manual_seed(0)
    config = ModelConfig(
        embedding_size=8,
        encoder=EncoderConfig(size=6),
        decoder=DecoderConfig(size=10),
        attention=AttentionKind.general,
        dropout=0.5,
    )
    return Network(config, tokenizers.source.size, tokenizers.target.size, joint=True).train()


def test_samples_are_scored_as_text_against_their_own_reference(tokenizers, network):
    ids = [tokenizers.source.encode(text) for text in TEXTS]
    batch = make_batch(ids, ids)
    with torch.no_grad():  # probable tokens: those of the texts, so that some rewards are not zero
        network.output.bias[torch.tensor([token for row in ids for token in row] + [EOS])] += 5
    risk = RiskConfig(samples=5, temperature=0.8, max_length_ratio=1.0, max_length_offset=2)
    torch.manual_seed(1)
    result = RewardedSampler(tokenizers, risk, Precision.float32)(network, batch)
    assert network.training  # as before
    assert len(result) == len(TEXTS)
    for text, source, candidates in zip(TEXTS, ids, result, strict=True):
        assert len(candidates) == 5
        for candidate in candidates:
            finished = tokenizers.target.decode(candidate.tokens)
            assert candidate.reward == pytest.approx(sacrebleu.sentence_bleu(finished, [text]).score / 100)
            assert 1 <= len(candidate.tokens) <= len(source) + 3
            assert EOS not in candidate.tokens[:-1]
    rewards = [candidate.reward for candidates in result for candidate in candidates]
    assert max(rewards) > 0


@needs_bfloat16
def test_samples_depend_on_the_seed_and_not_on_dropout(tokenizers, network):
    ids = [tokenizers.source.encode(text) for text in TEXTS]
    sampler, batch = RewardedSampler(tokenizers, RiskConfig(samples=3), Precision.bfloat16), make_batch(ids, ids)
    result = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        result.append(sampler(network, batch))
    assert result[0] == result[1] != result[2]


def test_minimum_risk_samples_are_valid_text_and_reinforce_samples_are_unrestricted(tokenizers, network):
    """REINFORCE's gradient would be biased by samples of another distribution."""
    ids = [tokenizers.source.encode(text) for text in TEXTS]
    batch, marks = make_batch(ids, ids), {UNK, BOS, PAD}
    samples = {}
    for kind in RiskKind:
        torch.manual_seed(1)
        risk = RiskConfig(weight=0.5, kind=kind, samples=50)
        result = RewardedSampler(tokenizers, risk, Precision.float32)(network, batch)
        samples[kind] = [candidate for candidates in result for candidate in candidates]
    finished = [sample for sample in samples[RiskKind.minimum_risk] if sample.tokens[-1] == EOS]
    assert finished
    assert not any(marks & {*sample.tokens} for sample in samples[RiskKind.minimum_risk])
    assert not any("\ufffd" in tokenizers.target.decode(one.tokens) for one in finished)
    assert any(marks & {*sample.tokens} for sample in samples[RiskKind.reinforce])
