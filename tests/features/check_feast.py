"""Check an exported repository with the real Feast: apply, materialize, read online and as of.

Feast pins pandas below 3, which this package's environment is past, so it runs in one of its own:

    python -m venv /tmp/feast && /tmp/feast/bin/pip install feast
    shortlist features PROJECT --feast /tmp/repository
    /tmp/feast/bin/python tests/features/check_feast.py /tmp/repository
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from feast import FeatureStore


def main(folder: Path) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    import definitions

    store = FeatureStore(repo_path=str(folder))
    views = [v for n, v in vars(definitions).items() if n.endswith("_features")]
    entities = [vars(definitions)[view.entities[0]] for view in views]
    store.apply([*entities, *views])
    for view in views:
        key = f"{view.entities[0]}_id"
        written = pd.read_parquet(folder / "data" / f"{view.entities[0]}.parquet")
        names = [c for c in written.columns if c not in (key, "event_timestamp")]
        last = written[written.event_timestamp == written.event_timestamp.max()]
        end = last.event_timestamp.iloc[0].to_pydatetime()
        store.materialize(end - timedelta(days=1), end + timedelta(seconds=1))
        refs = [f"{view.name}:{name}" for name in names]
        online = store.get_online_features(
            features=refs, entity_rows=[{key: id} for id in last[key]]
        ).to_df()
        merged = last.merge(online, on=key, suffixes=("", "_online"))
        assert len(merged) == len(last)
        for name in names:
            np.testing.assert_allclose(merged[name], merged[f"{name}_online"], rtol=1e-6)
        # one microsecond before the last day ends, Feast must give the day before
        asked = pd.DataFrame(
            {key: last[key].to_numpy(), "event_timestamp": end - timedelta(microseconds=1)}
        )
        asked["event_timestamp"] = pd.to_datetime(asked["event_timestamp"], utc=True)
        past = store.get_historical_features(entity_df=asked, features=refs).to_df()
        before = written[written.event_timestamp == end - timedelta(days=1)]
        merged = before.merge(past, on=key, suffixes=("", "_past"))
        assert len(merged) == len(before)
        for name in names:
            np.testing.assert_allclose(merged[name], merged[f"{name}_past"], rtol=1e-6)
        print(f"{view.name}: {len(names)} features of {len(last)} keys agree, online and as of")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
