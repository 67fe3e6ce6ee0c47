"""Searching settings by validation score: the space, the study, the trials."""
