"""Projections of context vectors."""

import numpy as np
import pytest
import torch
from laboratories import system

from seq2seq.errors import ConfigError
from seq2seq.figures.contexts import CONTEXT, STATE, principal_components, project, sentence_vectors

SENTENCES = ["We work.", "She sleeps.", "Where is my key?", "The man helps the woman."]


def test_components_are_eigenvectors_of_the_covariance():
    vectors_BD = torch.randn(30, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    vectors_BD *= torch.tensor([5.0, 3.0, 1, 1, 1, 0.5, 0.1])
    plane, shares = principal_components(vectors_BD, 2)
    variances, directions = np.linalg.eigh(np.cov(vectors_BD.numpy().T))
    expected = (vectors_BD - vectors_BD.mean(0)).numpy() @ directions[:, ::-1][:, :2]
    assert np.allclose(np.abs(plane.numpy()), np.abs(expected))
    assert np.allclose(shares.numpy(), variances[::-1][:2] / variances.sum())


def test_points_in_a_plane_keep_their_distances_and_signs():
    corner = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 1.0], [4.0, 1.0]], dtype=torch.float64)
    turned = corner @ torch.linalg.qr(torch.randn(2, 2, generator=torch.Generator().manual_seed(2)).double())[0]
    for vectors_BD in (corner, torch.nn.functional.pad(turned, (0, 3))):
        plane, shares = principal_components(vectors_BD, 2)
        assert torch.allclose(torch.cdist(plane, plane), torch.cdist(corner, corner))
        assert shares.sum() == pytest.approx(1)
        assert shares[0] == pytest.approx(16 / 17)
        assert (plane[0] > 0).all()


def test_missing_dimensions_and_equal_vectors_are_zeros():
    plane, shares = principal_components(torch.tensor([[1.0], [2.0], [3.0]]), 2)
    assert plane[:, 1].tolist() == [0, 0, 0]
    assert shares.tolist() == [1, 0]
    plane, shares = principal_components(torch.ones(3, 4), 2)
    assert not plane.any()
    assert not shares.any()


def test_without_attention_the_context_vector_is_projected(tiny_run, tmp_path):
    context = system(tiny_run, tmp_path / "context")
    projection = project(context, SENTENCES)
    member = context.translator.members[0]
    memory, _ = context.network.encode(*member.sources(context.encoded(SENTENCES[2:3])))
    assert torch.allclose(sentence_vectors(context, SENTENCES)[2], memory.context_BD[0].double(), atol=1e-6)
    assert (projection.vector, projection.width) == (CONTEXT, context.network.config.encoder.width)
    assert [point.sentence for point in projection.points] == SENTENCES
    assert 0 < sum(projection.explained_variance) <= 1 + 1e-9


def test_with_attention_the_initial_state_of_all_layers_is_projected(tiny_run, tmp_path):
    attends = system(tiny_run, tmp_path / "attends", {"decoder.layers": 2})
    projection = project(attends, SENTENCES)
    assert (projection.vector, projection.width) == (STATE, 2 * 2 * attends.network.config.decoder.size)
    gru = system(tiny_run, tmp_path / "gru", {"decoder.cell": "gru"})
    assert project(gru, SENTENCES).width == gru.network.config.decoder.size


def test_a_zero_initial_state_with_attention_is_rejected(tiny_run, tmp_path):
    zero = system(tiny_run, tmp_path / "zero", {"bridge": "zero"})
    with pytest.raises(ConfigError, match=r"model\.bridge=zero"):
        project(zero, SENTENCES)
    fed = system(tiny_run, tmp_path / "fed", {"bridge": "zero", "attention": "none", "decoder.feed_context": True})
    assert project(fed, SENTENCES).vector == CONTEXT
