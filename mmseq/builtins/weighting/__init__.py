"""The engine's own weightings of losses."""
