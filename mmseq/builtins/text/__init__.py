"""The engine's own text encoders: transformers and recurrent networks."""
