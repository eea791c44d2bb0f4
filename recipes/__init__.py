"""Programs to run and to copy, one per task: recipes/README.md lists them."""
