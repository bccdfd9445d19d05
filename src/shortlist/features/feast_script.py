"""Ask a Feast repository for features as of instants; run with a Python that has Feast.

    python feast_script.py REPOSITORY ENTITIES.parquet FEATURES.parquet VIEW:FEATURE …

ENTITIES has the join key and `event_timestamp`; FEATURES gets both and `VIEW__FEATURE` columns.
It imports nothing of this package: Feast 0.67 needs pandas below 3, which an environment that this
package is installed in may be past.
"""

from __future__ import annotations

import sys


def main(repository: str, entities: str, features: str, *refs: str) -> None:
    """Write the features of every line of ENTITIES, of its instant or before."""
    import pandas as pd
    from feast import FeatureStore

    asked = pd.read_parquet(entities)
    store = FeatureStore(repo_path=repository)
    found = store.get_historical_features(
        entity_df=asked, features=list(refs), full_feature_names=True
    ).to_df()
    found.to_parquet(features)


if __name__ == "__main__":
    main(*sys.argv[1:])
