"""A local web page and a JSON API: translate while you type, choose other words, inspect the model.

python recipes/serve.py run=runs/demo
python recipes/serve.py run=runs/a runs=[runs/b,runs/c] port=8080
python recipes/serve.py run=runs/demo precision=int8 limits.waiting=1024 limits.seconds=10
"""

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.serving.config import ServeConfig, require_packages


@recipe
def main(config: ServeConfig) -> None:
    """Load the runs, print the address of the page, and serve until Ctrl-C."""
    config.check()
    require_packages()
    # Imported here, since these modules need the extra packages.
    from seq2seq.serving.runs import load_translators
    from seq2seq.serving.server import listen, page_url, serve

    translators = load_translators(config)
    with listen(config) as listening:
        print(f"{page_url(config, listening)}  ({', '.join(translators)}; Ctrl-C stops)", flush=True)
        if not config.local:
            print(f"host={config.host}: every machine that reaches this one can send requests", flush=True)
        serve(translators, config, listening)


if __name__ == "__main__":
    main()
