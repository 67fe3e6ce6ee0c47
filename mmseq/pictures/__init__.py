"""From picture files to features: opening, computing, storing."""
