"""Rankers as a release keeps them, and the one place where each computes its scores.

Offline calibrates, cascades and evaluates with the functions that online serves with.
"""
