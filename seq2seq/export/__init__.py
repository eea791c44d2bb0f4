"""Exporting a trained model to a folder that translates without PyTorch: see `seq2seq.portable`."""
