"""Score given translations by the model's probability (forced decoding): one line per pair.

python recipes/score.py run=runs/demo source=test.en target=test.de > scores.txt
python recipes/score.py run=runs/demo source=test.en target=test.de json=true > scores.jsonl
python recipes/score.py run=runs/a ensemble=[runs/b] source=test.en target=test.de output=scores.txt
"""

import json
import math
import sys
from typing import TYPE_CHECKING

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.errors import counted
from seq2seq.translation.config import ScoreConfig

if TYPE_CHECKING:
    from seq2seq.translation.types import Translation


def as_json(scored: "Translation") -> str:
    """Return one line of JSON: the pair, its scores, and every token with its log-probability, EOS last."""
    from seq2seq.translation.scoring import END

    tokens = zip([*scored.tokens, END], scored.token_log_probabilities, strict=True)
    values = {
        "source": scored.source,
        "target": scored.text,
        "score": scored.score,
        "log_probability": scored.log_probability,
        "tokens": [[token, value] for token, value in tokens],
    }
    return json.dumps(values, ensure_ascii=False)


@recipe
def main(config: ScoreConfig) -> None:
    """Write a log-probability in nats for each pair; the perplexity of all pairs goes to stderr."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.translation.io import load_translator, opened, scored_pairs

    translator = load_translator(config)
    pairs = tokens = 0
    total = 0.0
    with opened(config.output) as output:
        for scored in translator.score_all(scored_pairs(config)):
            print(as_json(scored) if config.json else f"{scored.log_probability:.4f}", file=output)
            total += scored.log_probability
            tokens += len(scored.token_log_probabilities)
            pairs += 1
    if pairs:
        perplexity = math.exp(min(-total / tokens, 700))
        counts = f"{counted(pairs, 'pair')}, {counted(tokens, 'token')}"
        print(f"{counts}, perplexity {perplexity:,.2f} per token", file=sys.stderr)


if __name__ == "__main__":
    main()
