"""Check a claim of README.md: run its command again, and say whether its figures hold within their stated spread.

python recipes/verify.py
python recipes/verify.py claim=demo
python recipes/verify.py claim=multi30k_quick "arguments=['data.test.source=test.en', 'data.test.target=test.de']"
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.claims import ClaimConfig, VerifyConfig, find_claim, verify
from seq2seq.config.hydra import recipe
from seq2seq.errors import RunError
from seq2seq.system.atomic import atomic_write
from seq2seq.system.lock import locked_output


def judged(claim: ClaimConfig, folder: Path, config: VerifyConfig) -> list[dict[str, Any]]:
    """Run a claim's commands, print what is found of each figure, and keep it."""
    start = time.monotonic()
    findings = []
    for finding in verify(claim, folder, config.arguments):
        print(finding, flush=True)
        findings.append({**asdict(finding.figure), "found": finding.found, "holds": finding.holds})
    found = {
        "version": __version__,
        "claim": claim.name,
        "commands": claim.commands(),
        "arguments": config.arguments,
        "seconds": round(time.monotonic() - start, 1),
        "figures": findings,
    }
    with atomic_write(folder.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return findings


@recipe
def main(config: VerifyConfig) -> None:
    """List all claims, or check one: exit code 1 where it does not hold."""
    if config.claim is None:
        for claim in config.claims:
            print(f"{claim.name}: {claim.text}\n  {claim.command}")
            print(f"  about {claim.minutes:g} min{f'; needs {claim.needs}' if claim.needs else ''}")
            for figure in claim.figures:
                print(f"  {figure.name}: {figure.shown}")
        return
    claim = find_claim(config.claims, config.claim)
    folder = Path(config.output).expanduser() / claim.name
    with locked_output(folder.with_suffix(".json")):
        if folder.exists() and not config.resume:
            raise RunError(
                f"{folder} is there already: delete it, choose another place with output=PATH, or resume=true"
            )
        findings = judged(claim, folder, config)
    if fallen := [str(one["name"]) for one in findings if not one["holds"]]:
        raise RunError(f"claim {claim.name} does not hold: {'; '.join(fallen)} (see {folder.with_suffix('.json')})")


if __name__ == "__main__":
    main()
