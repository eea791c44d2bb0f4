"""The context-vector laboratory: the figures that made the field, drawn anew from any run."""
