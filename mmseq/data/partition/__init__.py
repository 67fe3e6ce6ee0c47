"""One file of sentences divided into splits or folds: `mmseq data split`."""
