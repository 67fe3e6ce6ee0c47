"""The assembled model, its batches, and prediction."""
