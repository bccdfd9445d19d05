"""Loading a Sentence-Transformers model, and its tokenizer as serving will read it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, normalizers

from shortlist.core.errors import ConfigError
from shortlist.core.progress import Progress
from shortlist.offline.retrieval.deep import require_torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

KEY = "retrievers.text_encoder.model"


def load_model(name: str, progress: Progress) -> SentenceTransformer:
    """A Sentence-Transformers model by its name on the Hugging Face hub, or from a folder.

    A plain transformer is taken with the mean of its token vectors. Code that a model brings along
    is not run.

    Raises:
        ConfigError: Sentence-Transformers or PyTorch is not installed, or there is no such model.
    """
    folder = Path(name).expanduser()
    if name.startswith((".", "/", "~")) and not folder.is_dir():
        raise ConfigError(
            f'{KEY} = "{name}" cannot be loaded: there is no folder {folder.resolve()}.',
            remedy="Correct the path; `./model` is a folder in the project's folder.",
        )
    require_torch("text_encoder")
    if find_spec("sentence_transformers") is None:
        raise ConfigError(
            f'{KEY} = "{name}" needs sentence-transformers to train.',
            remedy="Run `pip install 'shortlist[text]'`, or write model = \"static\".",
        )
    progress.step(f"text_encoder: loading {name}")
    # Imported here: it takes seconds.
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # `progress` is what shows how far things are
    try:
        path = str(folder) if folder.is_dir() else name
        model = SentenceTransformer(path, device="cpu", trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f'{KEY} = "{name}" cannot be loaded: {first}',
            remedy="Name a model of https://huggingface.co/models?library=sentence-transformers "
            'or a folder that holds one (a connection is needed the first time), or "static".',
        ) from error
    if any(prompt for prompt in model.prompts.values()):
        progress.note(
            f"text_encoder: {name} knows prompts ({', '.join(model.prompts)}); it is trained and "
            "asked without them"
        )
    return model.to(torch.float32)


def serving_tokenizer(model: SentenceTransformer, name: str, length: int) -> tuple[bytes, int, int]:
    """What serving tokenises with: `tokenizer.json`, the id that pads, and how many tokens.

    Args:
        model: the model.
        name: as the config names it.
        length: how many tokens are wanted; the model may take fewer.

    Raises:
        ConfigError: the model's tokenizer has no `tokenizer.json` form.
    """
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ConfigError(
            f'{KEY} = "{name}" has a tokenizer that exists in Python only.',
            remedy="Choose a model with a tokenizer.json, which can serve without Python code.",
        )
    served = Tokenizer.from_str(backend.to_str())
    served.no_padding()
    most = min(length, model.max_seq_length or length)
    served.enable_truncation(most)
    if getattr(model[0], "do_lower_case", False):
        rest = [served.normalizer] if served.normalizer is not None else []
        served.normalizer = normalizers.Sequence([normalizers.Lowercase(), *rest])
    pad = model.tokenizer.pad_token_id
    return served.to_str().encode(), 0 if pad is None else int(pad), most
