"""Vector indexes: `exact` and `ivf`, built by `build_index`, opened by `load_index`."""

from shortlist.index.build import IndexReport, build_index, load_index

__all__ = ["IndexReport", "build_index", "load_index"]
