"""One training run, in the order in which data flows; `training_run.py` has its steps."""
