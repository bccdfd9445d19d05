"""What search needs of a release: the words of the catalogue, completions, a ranker."""
