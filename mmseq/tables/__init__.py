"""Tables and plots of results: what was measured, beside what was published."""
