"""On a large processor, what depends on the processor is tested with the kernels of AVX2 alone, as on a small one."""

import pytest
import torch
from abilities import SMALL
from processors import run_tests_of_processors

LARGE = "AVX512" in torch.backends.cpu.get_cpu_capability()


@pytest.mark.skipif(not LARGE, reason="this processor is a small one, or none of x86")
@pytest.mark.parametrize("extent", ["few", pytest.param("all", marks=pytest.mark.slow)])
def test_with_kernels_of_avx2_alone(extent):
    run_tests_of_processors(SMALL, extent)
