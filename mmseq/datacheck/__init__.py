"""The check of a data folder: `mmseq data check`. It looks at sentences and at pictures."""
