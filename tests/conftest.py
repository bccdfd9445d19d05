"""Settings that every test shares."""

from hypothesis import settings

settings.register_profile("shortlist", deadline=None, max_examples=50)
settings.load_profile("shortlist")
