"""Where there is oneDNN, what depends on the processor is tested without it, as some builds of PyTorch have none."""

import pytest
import torch
from conftest import WITHOUT_ONEDNN
from processors import run_tests_of_processors


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="there is no oneDNN here")
@pytest.mark.parametrize("extent", ["few", pytest.param("all", marks=pytest.mark.slow)])
def test_without_onednn(extent):
    run_tests_of_processors({WITHOUT_ONEDNN: "1"}, extent)
