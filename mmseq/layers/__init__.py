"""Layers and gradients that the model and plugins share."""
