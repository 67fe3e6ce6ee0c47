"""Annotations of other tools made into a data folder: `mmseq data import`."""
