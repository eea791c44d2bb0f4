"""Programs to run and to copy: train, evaluate, translate, quantize, distill, backtranslate, benchmark."""
