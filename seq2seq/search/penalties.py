"""What makes hypotheses of different length comparable."""

import math


def length_normalised(log_probability: float, length: int, alpha: float) -> float:
    """``log_probability / length ** alpha``: the sum at alpha 0, the mean per piece at alpha 1.

    ``length`` counts every piece predicted, the end of sentence included, and so is never 0. A sum of
    log-probabilities falls with every piece and favours short hypotheses; alpha above 0 makes up for it.
    Wu et al. (2016), equation 14, divide by ``((5 + length) / 6) ** alpha`` instead. The plain power has one
    constant less and a meaning at alpha 1, and is what most toolkits report.
    """
    return log_probability / math.pow(length, alpha)
