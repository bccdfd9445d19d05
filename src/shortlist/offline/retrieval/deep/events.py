"""What a training writes for TensorBoard."""

from __future__ import annotations

from pathlib import Path


class Events:
    """Scalars of each epoch as TensorBoard event files; without a folder nothing is written."""

    def __init__(self, folder: Path | None, epoch: int) -> None:
        self._writer = None
        if folder is not None:
            # Imported here: it takes a second, and a run without a folder does not need it.
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=epoch + 1)

    def write(self, epoch: int, loss: float, metric: float, speed: float, rate: float) -> None:
        """The scalars of an epoch, counted from 1."""
        if self._writer is None:
            return
        scalars = {
            "loss": loss,
            "ndcg@10": metric,
            "examples_per_second": speed,
            "learning_rate": rate,
        }
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
