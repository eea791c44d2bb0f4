"""Score given translations by a model's probability (forced decoding), a pair in, a line out.

python recipes/score.py run=runs/demo source=test.en target=test.de > scores.txt
python recipes/score.py run=runs/demo source=test.en target=test.de json=true > scores.jsonl
python recipes/score.py run=runs/a ensemble=[runs/b] source=test.en target=test.de output=scores.txt
"""

import json
import math
import sys

from seq2seq.config.hydra import recipe
from seq2seq.translation.config import ScoreConfig
from seq2seq.translation.io import load_translator, opened, scored_pairs
from seq2seq.translation.types import Translation

END = "</s>"
"""How the end of the sentence is shown."""


def as_json(scored: Translation) -> str:
    """One line of JSON: the pair, its scores, and every piece with its log-probability, the end mark last."""
    pieces = zip([*scored.pieces, END], scored.piece_log_probabilities, strict=True)
    values = {
        "source": scored.source,
        "target": scored.text,
        "score": scored.score,
        "log_probability": scored.log_probability,
        "pieces": [[piece, value] for piece, value in pieces],
    }
    return json.dumps(values, ensure_ascii=False)


@recipe
def main(config: ScoreConfig) -> None:
    """Log-probabilities in nats, one for each pair; the perplexity of all goes to stderr."""
    translator = load_translator(config)
    pairs = pieces = 0
    total = 0.0
    with opened(config.output) as output:
        for scored in translator.score_all(scored_pairs(config)):
            print(as_json(scored) if config.json else f"{scored.log_probability:.4f}", file=output)
            total += scored.log_probability
            pieces += len(scored.piece_log_probabilities)
            pairs += 1
    if pairs:
        perplexity = math.exp(min(-total / pieces, 700))
        print(f"{pairs:,} pairs, {pieces:,} pieces, perplexity {perplexity:,.2f} per piece", file=sys.stderr)


if __name__ == "__main__":
    main()
