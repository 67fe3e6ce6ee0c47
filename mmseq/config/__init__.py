"""A run's configuration: layers of TOML tables, validated."""

from mmseq.config.layering import parse_setting

__all__ = ["parse_setting"]
