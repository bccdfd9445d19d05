"""What runs for hours over everything; `pipeline.py` reads from top to bottom."""
