"""Many runs from one plan: what is to be run, by whom, and the file of results."""
