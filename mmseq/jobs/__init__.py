"""Runs carried out in other processes, on this machine or on a cluster."""
