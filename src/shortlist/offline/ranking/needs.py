"""What training a ranker needs beside the core."""

from __future__ import annotations

from importlib.util import find_spec

from shortlist.config.schema import RankerSection
from shortlist.core.errors import ConfigError

_NETWORK = ("torch", "onnx")


def check_installed(config: RankerSection) -> None:
    """Make sure that a ranker of the configuration can be trained here.

    Raises:
        ConfigError: a package is not installed; names it, the key and the extra.
    """
    kinds = (config.kind, config.second if config.kind == "cascade" else "none")
    wanted: list[tuple[str, str, str]] = []
    if {"boosted", "cascade", "glmix"} & set(kinds):
        wanted.append((config.library, "train", "ranker.library"))
    if {"attention", "relational"} & set(kinds):
        wanted += [(name, "deep", "ranker.kind") for name in _NETWORK]
    for name, extra, key in wanted:
        if find_spec(name) is None:
            raise ConfigError(
                f'training a ranker of kind = "{config.kind}" needs {name}, which is not '
                "installed.",
                remedy=f"Run `pip install 'shortlist[{extra}]'`, or choose another.",
                where=key,
            )
