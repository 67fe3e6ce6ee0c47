"""The engine's own image encoder: any model of timm."""
