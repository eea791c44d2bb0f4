import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.training.config import Average, Criterion
from seq2seq.training.progress import Progress, RunningSums, Validation, perplexity

RUN = Progress(
    update=40,
    place=StreamPosition(2, 3),
    validations=[Validation(*row) for row in [(10, 3.0, 9.0), (20, 2.0, 5.0), (30, 2.0, 9.0), (40, 2.5, 8.0)]],
)


def test_best_and_order_by_loss():
    assert RUN.best(Criterion.loss) == Validation(20, 2.0, 5.0)
    assert [validation.update for validation in RUN.ranked(Criterion.loss)] == [20, 30, 40, 10]
    assert RUN.validations_since_best(Criterion.loss) == 2


def test_best_and_order_by_bleu_then_by_loss():
    assert RUN.best(Criterion.bleu) == Validation(30, 2.0, 9.0)
    assert [validation.update for validation in RUN.ranked(Criterion.bleu)] == [30, 10, 40, 20]
    assert RUN.validations_since_best(Criterion.bleu) == 1


def test_equal_scores_are_ranked_by_loss_with_a_note():
    """As with 13a on Chinese or lines of one word: BLEU is 0 while the loss falls from 1.211 to 0.017."""
    losses = [1.211, 0.4, 0.1, 0.017]
    falling = Progress(validations=[Validation(number, loss, 0.0, 7.0) for number, loss in enumerate(losses, 1)])
    for criterion in (Criterion.bleu, Criterion.chrf):
        assert falling.best(criterion).update == 4
        assert falling.validations_since_best(criterion) == 0, "patience continues"
        assert falling.averaged(Average.best, 2, criterion) == [4, 3]
    assert falling.undecided(Criterion.bleu).startswith("BLEU was 0.00 at all 4 validations, so the loss selected")
    assert falling.undecided(Criterion.chrf).startswith("chrF was 7.00 at all 4")
    assert falling.undecided(Criterion.loss) is None
    assert RUN.undecided(Criterion.bleu) is None
    assert Progress(validations=falling.validations[:1]).undecided(Criterion.bleu) is None


def test_the_best_validation_says_so_when_only_the_loss_decides():
    def remark(criterion, *scores):
        validations = [Validation(number, 9.0 - number, bleu) for number, bleu in enumerate(scores)]
        return Progress(validations=validations).remark(criterion)

    assert remark(Criterion.bleu, 0.0) == "  (best by the loss: BLEU is still 0.00)"
    assert remark(Criterion.bleu, 0.0, 0.0) == "  (best by the loss: BLEU is still 0.00)"
    assert remark(Criterion.bleu, 3.0, 3.0) == "  (best by the loss: equal scores)"
    assert remark(Criterion.bleu, 0.0, 3.0) == "  (best)"
    assert remark(Criterion.loss, 0.0, 0.0) == "  (best)"


def test_the_selected_validation_is_that_of_the_model_file():
    one, average = Validation(1, 2.0, 5.0), Validation(2, 1.5, 6.0)
    assert Progress(validations=[one]).selected(Criterion.bleu) == one
    assert Progress(validations=[one], average=average).selected(Criterion.bleu) == average


def test_chrf_can_be_the_criterion():
    progress = Progress(validations=[Validation(1, 1.0, 9.0, 30.0), Validation(2, 2.0, 8.0, 40.0)])
    assert progress.best(Criterion.chrf).update == 2
    assert progress.best_value(Criterion.chrf) == 40.0
    assert progress.best(Criterion.bleu).update == 1
    assert Progress.from_dict(progress.as_dict()) == progress
    assert progress.validations[1].as_metrics()["chrf"] == 40.0
    assert progress.validations[1].in_words().endswith("BLEU 8.00  chrF 40.00")
    assert "chrf" not in Validation(1, 1.0, 9.0).as_metrics()


def test_an_average_is_kept_until_a_better_validation():
    assert Progress().improves(Validation(1, 9.0, 0.0), Criterion.loss)
    progress = Progress(average=Validation(4, 0.5, 10.0))
    assert not progress.improves(Validation(5, 0.5, 10.0), Criterion.bleu)
    assert not progress.improves(Validation(5, 0.6, 10.0), Criterion.bleu)
    assert progress.improves(Validation(5, 0.4, 10.0), Criterion.bleu)
    assert progress.improves(Validation(5, 0.4, 1.0), Criterion.loss)
    assert Progress.from_dict(progress.as_dict()) == progress


def test_before_the_first_validation_best_and_patience_are_empty():
    assert Progress().best(Criterion.loss) is None
    assert Progress().validations_since_best(Criterion.loss) == 0
    assert Progress().ranked(Criterion.bleu) == []


def test_a_nan_loss_is_worse_than_any_number():
    progress = Progress(validations=[Validation(1, math.nan, 0.0), Validation(2, 1e9, 0.0), Validation(3, 5.0, 0.0)])
    assert [validation.update for validation in progress.ranked(Criterion.loss)] == [3, 2, 1]


numbers = st.floats(allow_nan=False)


@given(
    st.builds(
        Progress,
        update=st.integers(0, 10**9),
        place=st.builds(StreamPosition, st.integers(0, 10**6), st.integers(0, 10**6)),
        validations=st.lists(
            st.builds(Validation, st.integers(0, 10**9), numbers, numbers, st.none() | numbers), max_size=5
        ),
        window=st.builds(RunningSums, cross_entropy=numbers, tokens=st.integers(0, 10**9), seconds=numbers),
        settled=st.integers(0, 10**9),
        model=st.lists(st.integers(0, 10**9), max_size=4),
        average=st.none() | st.builds(Validation, st.integers(0, 10**9), numbers, numbers, st.none() | numbers),
        records=st.lists(
            st.fixed_dictionaries(
                {"kind": st.text(max_size=9), "update": st.integers(0, 10**9)},
                optional={"epoch": st.integers(0, 10**9), "loss": numbers},
            ),
            max_size=3,
        ),
    )
)
def test_progress_is_restored_by_a_weights_only_load(progress):
    file = io.BytesIO()
    torch.save(progress.as_dict(), file)
    file.seek(0)
    loaded = Progress.from_dict(torch.load(file, weights_only=True))
    assert loaded == progress
    assert all(isinstance(validation, Validation) for validation in loaded.validations)
    assert isinstance(loaded.place, StreamPosition)


@pytest.mark.parametrize(
    "wrong",
    [
        {"update": -1},
        {"update": 1.0},
        {"update": 2**60},
        {"place": [0, "1"]},
        {"place": [0]},
        {"validations": [[1, "2", 3.0]]},
        {"validations": [[None, 2.0, 3.0]]},
        {"validations": [[1, None, 3.0]]},
        {"window": {"cross_entropy": None, "tokens": 0, "seconds": 0.0}},
        {"window": {"words": 1}},
        {"settled": True},
        {"model": ["10"]},
        {"average": [1, "2", 3.0]},
        {"average": 3},
        {"validations": [[1, 2.0, 3.0, "4"]]},
        {"records": [{"kind": "train"}]},
        {"records": [{"kind": "train", "update": 1, "loss": [2.0]}]},
        {"records": [{"kind": [], "update": 1}]},
        {"records": [{"kind": "train", "update": 1, 2: 2.0}]},
        {"records": [3]},
    ],
)
def test_invalid_progress_is_refused(wrong):
    assert Progress.from_dict(RUN.as_dict()) == RUN
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        Progress.from_dict(RUN.as_dict() | wrong)


def test_saved_progress_is_a_copy():
    progress = Progress(update=1)
    saved = progress.as_dict()
    progress.update, progress.window.tokens = 2, 7
    progress.validations.append(Validation(2, 1.0, 1.0))
    progress.records.append({"update": 2})
    progress.model.append(2)
    assert Progress.from_dict(saved) == Progress(update=1)


def test_fields_missing_in_older_versions_are_empty():
    saved = RUN.as_dict()
    del saved["model"], saved["average"], saved["records"]
    assert Progress.from_dict(saved) == RUN


def test_the_validations_selected_for_averaging():
    assert RUN.averaged(Average.best, 3, Criterion.loss) == [20, 30, 40]
    assert RUN.averaged(Average.best, 2, Criterion.bleu) == [30, 10]
    assert RUN.averaged(Average.last, 2, Criterion.bleu) == [30, 40]
    assert RUN.averaged(Average.last, 9, Criterion.bleu) == [10, 20, 30, 40]
    assert RUN.averaged(Average.none, 3, Criterion.loss) == []


def test_perplexity():
    assert perplexity(0.0) == 1.0
    assert perplexity(math.log(50)) == 50 or abs(perplexity(math.log(50)) - 50) < 1e-9
    assert perplexity(1e4) == math.inf


def test_a_validation_without_bleu_is_ranked_by_loss_and_restored():
    """A language model has no BLEU."""
    progress = Progress(validations=[Validation(1, 3.0, None), Validation(2, 2.0, None), Validation(3, 2.5, None)])
    assert progress.best(Criterion.loss) == Validation(2, 2.0, None)
    assert progress.best(Criterion.bleu) == Validation(2, 2.0, None)
    assert Progress.from_dict(progress.as_dict()) == progress
    assert Validation(2, 2.0, None).as_metrics().keys() == {"loss", "perplexity"}
    assert Validation(2, 2.0, 7.5).as_metrics()["bleu"] == 7.5
    assert "BLEU" not in Validation(2, 2.0, None).in_words()


def test_the_sweep_objective_is_higher_for_a_better_run():
    progress = Progress(validations=[Validation(1, 3.0, 20.0), Validation(2, 2.0, 10.0)])
    assert progress.best_value(Criterion.bleu) == 20.0
    assert progress.best_value(Criterion.loss) == -2.0
    assert math.isnan(Progress().best_value(Criterion.loss))
