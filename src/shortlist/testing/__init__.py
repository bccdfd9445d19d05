"""Contract suites that every implementation runs, tiny worlds, and the sample marketplace."""
