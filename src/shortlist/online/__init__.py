"""What runs for milliseconds over one request; `pipeline.py` reads from top to bottom."""
