"""`shortlist.toml`: the schema, loading with cross-checks, and the guesses of `init`."""
