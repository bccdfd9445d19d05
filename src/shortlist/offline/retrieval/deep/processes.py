"""Which process this is among those that train together, and what it computes on."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Processes:
    """The processes that train one model (`torchrun` starts several; otherwise it is one).

    Attributes:
        rank: the number of this one, from 0.
        world: how many there are.
        device: what this one computes on.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one writes files and says what happens."""
        return self.rank == 0

    def agree(self, value: float) -> float:
        """The first process' value, in all of them."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            dist.barrier()


def join() -> Processes:
    """Join the processes that `torchrun` started, by gloo on CPUs and nccl on GPUs.

    The group stays for the life of the process, so that several models can be fitted.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0")) if world > 1 else 0
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    device = torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=world)
        atexit.register(dist.destroy_process_group)
    return Processes(rank, world, device)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32 ones.

    By what the hardware has and not by a timing, so that a seed gives one model on one machine:
    GPUs from Ampere on, processors with AMX tiles or AVX-512 BF16 dot products.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    flags = info.read_text(errors="replace").partition("\nflags")[2].partition("\n")[0].split()
    return bool({"amx_bf16", "avx512_bf16"} & set(flags))
