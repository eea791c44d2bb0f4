"""Translation without PyTorch: exported models on numpy or onnxruntime.

::

    from seq2seq.portable import Translator

    translator = Translator.load("exported")
    print(translator.translate("Where is my key?"))

It imports numpy, sentencepiece, onnxruntime and the standard library only, and nothing else of seq2seq: exporting a
model copies this package into the folder.
"""
