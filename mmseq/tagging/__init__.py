"""A finished run that tags new sentences."""
