"""Marks for tests that need certain processor features, and settings that disable these features."""

import pytest
import torch

from seq2seq.system.capability import runs_bfloat16, runs_float16, runs_int8

CPU = torch.device("cpu")
needs_int8 = pytest.mark.skipif(not runs_int8(CPU), reason="int8 does not run on this processor")
needs_bfloat16 = pytest.mark.skipif(not runs_bfloat16(CPU), reason="bfloat16 does not run on this processor")
needs_float16 = pytest.mark.skipif(not runs_float16(CPU), reason="float16 does not run on this processor")
LOW = [pytest.param("bfloat16", marks=needs_bfloat16), pytest.param("int8", marks=needs_int8)]
LOW_TRAINING = [pytest.param(torch.bfloat16, marks=needs_bfloat16), pytest.param(torch.float16, marks=needs_float16)]
PRECISIONS = ["float32", *LOW]

SMALL = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
"""Environment in which an x86 processor uses only AVX2 kernels."""
