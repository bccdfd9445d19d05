"""A release: the immutable folder that offline writes and online opens."""
