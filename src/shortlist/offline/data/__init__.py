"""From sources to training data: collect into the lake, prepare, split by time."""
