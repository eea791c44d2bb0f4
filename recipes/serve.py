"""A local web page to try runs: type, watch the translation grow, ask for other words, look inside; and a JSON API.

python recipes/serve.py run=runs/demo
python recipes/serve.py run=runs/a runs=[runs/b,runs/c] port=8080
python recipes/serve.py run=runs/demo precision=int8 limits.waiting=1024 limits.seconds=10
"""

from seq2seq.config.hydra import recipe
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.installed import demand_installed


@recipe
def main(config: ServeConfig) -> None:
    """Load the runs, print the page's address, and answer until Ctrl-C."""
    config.check()
    demand_installed()
    # Imported here: what these need is an extra.
    from seq2seq.serving.server import address, bound, serve
    from seq2seq.serving.systems import load_systems

    translators = load_systems(config)
    with bound(config) as listening:
        print(f"{address(config, listening)}  ({', '.join(translators)}; Ctrl-C stops)", flush=True)
        if not config.local:
            print(f"host={config.host}: whoever reaches this machine over the network can ask here", flush=True)
        serve(translators, config, listening)


if __name__ == "__main__":
    main()
