"""Pictures of what a run has learned: the command `mmseq plot`."""
