"""Search: from what was typed to a ranked, highlighted answer; `pipeline.py` reads it top down."""
