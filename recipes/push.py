"""Send a model to the Hugging Face hub: the files of the model and its card, never text, checkpoints or logs.

python recipes/push.py run=runs/demo repository=USER/NAME dry_run=true
python recipes/push.py run=runs/demo repository=USER/NAME private=true
python recipes/translate.py run=hf://USER/NAME < in.txt > out.txt
"""

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import PushConfig
from seq2seq.report.help import assignment, command


@recipe
def main(config: PushConfig) -> None:
    """List the files, send them in one commit, and print its address."""
    repository = config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.run.push import push_to_hub

    if address := push_to_hub(config.run, repository, private=config.private, dry_run=config.dry_run):
        print(f"{address}\nnext: {command('translate')} {assignment('run', f'hf://{repository}')}")


if __name__ == "__main__":
    main()
