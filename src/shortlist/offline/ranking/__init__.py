"""Rankers: training rows as of each request, and boosted trees fitted on them."""
