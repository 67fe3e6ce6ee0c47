"""Runs gathered into systems, and systems compared: what `mmseq compare` prints."""
