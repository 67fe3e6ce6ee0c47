"""Many runs from one plan: what to run, who runs it, and the file of results."""
