"""Files of other programs, read for training and written back with translations: TMX, XLIFF, PO, XLSX, CSV."""
