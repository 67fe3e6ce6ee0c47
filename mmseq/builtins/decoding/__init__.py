"""The engine's own decoders: CRF and softmax."""
