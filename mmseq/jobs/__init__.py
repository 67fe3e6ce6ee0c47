"""Runs carried out elsewhere than in this process: in others on this machine, or on a cluster."""
