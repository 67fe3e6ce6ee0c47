"""Two files of tags compared: scores by every reading, relaxed scores, errors, groups."""
