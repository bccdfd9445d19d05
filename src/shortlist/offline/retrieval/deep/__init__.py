"""What the deep families share: packing, losses, one training loop, export to ONNX.

Everything here needs PyTorch; families import it inside `fit`, after `require_torch`.
"""

from __future__ import annotations

from importlib.util import find_spec

from shortlist.core.errors import ConfigError

NEEDED = ("torch", "onnx", "onnxruntime", "tensorboard")


def require_torch(kind: str) -> None:
    """Make sure that a deep family can train here.

    Raises:
        ConfigError: PyTorch, or what exports and logs its models, is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'a retriever of kind = "{kind}" needs {", ".join(missing)} to train.',
            remedy="Run `pip install 'shortlist[deep]'`, or take the retriever out.",
            where="retrievers",
        )
