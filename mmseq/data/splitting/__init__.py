"""Raw text: how a person would write words, and how it is cut into the words of the training."""
