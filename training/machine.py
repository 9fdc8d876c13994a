"""Where the network is trained: one processor, one GPU, or several with `torchrun`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Machine:
    """One of `count` processes that train the same network, each on windows of its own."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def precision(self) -> torch.dtype | None:
        """What the layers compute in: half precision on a GPU, None for the 32 bits of a processor."""
        if self.device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16

    def shared(self, network: nn.Module) -> nn.Module:
        """The network, with gradients that are averaged over all processes."""
        return network if self.count == 1 else DistributedDataParallel(network)


ALONE = Machine(torch.device("cpu"))


@contextmanager
def machine() -> Iterator[Machine]:
    """The machine that `torchrun` gave this process, or the only one there is.

    `torchrun` says who is who in RANK, WORLD_SIZE and LOCAL_RANK.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Machine(device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Machine(device, distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
