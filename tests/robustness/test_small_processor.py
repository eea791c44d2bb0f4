"""Tests that depend on the processor, with AVX2 kernels only, on a processor with AVX-512."""

import pytest
import torch
from abilities import SMALL
from processors import run_tests_of_processors

LARGE = "AVX512" in torch.backends.cpu.get_cpu_capability()


@pytest.mark.skipif(not LARGE, reason="this processor lacks AVX-512")
@pytest.mark.parametrize(
    "extent", [pytest.param("few", marks=pytest.mark.ci), pytest.param("all", marks=pytest.mark.slow)]
)
def test_processor_tests_pass_with_avx2_only(extent):
    run_tests_of_processors(SMALL, extent)
