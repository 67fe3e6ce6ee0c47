"""The engine's own callbacks: history, early stopping, trackers."""
