"""Tests that depend on the processor, without oneDNN, which some builds of PyTorch lack."""

import pytest
import torch
from conftest import WITHOUT_ONEDNN
from processors import run_tests_of_processors


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="oneDNN is not available")
@pytest.mark.slow
def test_processor_tests_pass_without_onednn():
    run_tests_of_processors({WITHOUT_ONEDNN: "1"}, "all")
