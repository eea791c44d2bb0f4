"""Tools of the clone that are not part of the package; run one with ``python -m tests.tools.NAME``.

- `ceiling`: a training update against a bare loop of fused LSTMs.
- `scale`: cost as sizes grow, one at a time.
- `threads`: training by number of threads.
- `against`: alternating measurements of another program and this one.
- `peers`: quality and speed beside Transformers of other toolkits, at equal weights and at equal time.
- `peers.decoding`: speed of translation beside LSTMs and a Transformer of other toolkits, in turn.
- `cells`: recurrent cells at equal numbers of weights: quality, speed, memory.
- `moses_bleu`: BLEU on lower-cased Moses tokens, as papers on Multi30k report it.
- `small_corpora`: `experiment=auto` on the corpora of RESULTS.md.
- `more_data`: makes the dictionaries and texts of RESULTS.md.
- `verify`: the figures of RESULTS.md, measured again.
- `build_kernels`: compiles the arithmetic of exported pages.
- `portable_speed`: exported models in every form: size, start, speed, equality.
"""

import os

INHERITED = dict(os.environ)
"""The environment of other programs. ``seq2seq``, imported later, adds variables that suit its own kernels."""
