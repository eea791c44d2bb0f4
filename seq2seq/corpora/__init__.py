"""Reading parallel text: file formats, the hub, mixtures of corpora, filters."""
