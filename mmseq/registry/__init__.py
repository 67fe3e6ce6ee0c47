"""Plugins and what they register: names, options, where they come from."""
