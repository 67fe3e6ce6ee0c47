"""A run's configuration: layers of TOML tables, validated."""
