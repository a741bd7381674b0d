"""One process or many: which devices train, who does what, and norms that see the whole batch."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from mebench.environment import launcher, process_count
from mebench.errors import UsageError

_PATIENCE = timedelta(hours=6)
"""How long processes wait for the one that tracks the clips."""


def fabric_for(device: str, devices: int, precision: Any, *, parts_rest: bool = False) -> Fabric:
    """Return the Fabric of a training run; `parts_rest` when some networks sit out some steps.

    Under ``torchrun`` or ``srun`` it joins the processes that are there. Else one device is this
    process, and more are one new process each, started by ``fabric.launch(function)``.

    Raises:
        UsageError: for a device that is unknown or not here.
    """
    kind, chosen = _device(device)
    world, by_slurm = process_count(), launcher() == "srun"
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if by_slurm:
        here = world // int(os.environ.get("SLURM_STEP_NUM_NODES", "1"))
    # Named here: Fabric would take any job with several tasks for several processes.
    place: ClusterEnvironment = LightningEnvironment()
    if world > 1:
        place = SLURMEnvironment(auto_requeue=False) if by_slurm else TorchElasticEnvironment()
    settings: dict[str, Any] = {"accelerator": kind, "precision": precision, "plugins": [place]}
    together = partial(DDPStrategy, find_unused_parameters=parts_rest, timeout=_PATIENCE)
    if world > 1:
        return Fabric(devices=here, num_nodes=world // here, strategy=together(), **settings)
    if devices > 1:
        if kind == "cuda" and torch.cuda.device_count() < devices:
            found = torch.cuda.device_count()
            raise UsageError(f"{devices} CUDA devices asked for, {found} are here; use --devices")
        return Fabric(devices=devices, strategy=together(start_method="spawn"), **settings)
    return Fabric(devices=chosen, **settings)


def _device(device: str) -> tuple[str, Any]:
    kind, _, index = device.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here; use --device cpu")
    try:
        if kind not in ("cpu", "cuda", "mps"):
            raise ValueError(kind)
        return kind, [int(index)] if index and kind != "cpu" else 1
    except ValueError as error:
        raise UsageError(f"unknown device '{device}'; use cpu or cuda:0") from error


def share(batch: int, accumulate: int, rank: int, world: int) -> list[slice]:
    """Return which pairs of a batch a process takes, one slice a part.

    Raises:
        UsageError: when the batch cannot be cut evenly.
    """
    parts = world * accumulate
    if batch % parts:
        raise UsageError(
            f"train.batch is {batch}, which {world} processes with train.accumulate={accumulate} "
            f"cannot share evenly; use a multiple of {parts}"
        )
    size = batch // parts
    first = rank * accumulate
    return [slice((first + i) * size, (first + i + 1) * size) for i in range(accumulate)]


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the pairs of all processes; PyTorch's own needs a GPU.

    Shapes: (B, C, H, W), the same on every process.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalised by the mean and variance over all processes."""
        if not self.training:
            return super().forward(input)
        mean = _mean_over_processes(input.mean((0, 2, 3)))
        centred = input - mean[:, None, None]
        variance = _mean_over_processes((centred**2).mean((0, 2, 3)))
        with torch.no_grad():
            self._remember(mean, variance, input)
        scaled = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]

    def _remember(self, mean: Tensor, variance: Tensor, input: Tensor) -> None:
        running_mean, running_var, seen = (
            self.running_mean,
            self.running_var,
            self.num_batches_tracked,
        )
        if running_mean is None or running_var is None or seen is None:
            return
        count = input.numel() // input.shape[1] * torch.distributed.get_world_size()
        momentum = 0.1 if self.momentum is None else self.momentum
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / max(1, count - 1)), momentum)
        seen.add_(1)


class _Mean(torch.autograd.Function):
    """The mean over processes; its gradient is the mean of theirs."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return _averaged(value)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return _averaged(gradients[0])


def _averaged(value: Tensor) -> Tensor:
    total = value.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()


def _mean_over_processes(value: Tensor) -> Tensor:
    apply: Any = _Mean.apply
    mean: Tensor = apply(value)
    return mean


def share_norms(module: nn.Module, on_gpu: bool) -> None:
    """Let the batch norms below a module see the pairs of all processes; names stay as they are."""
    if on_gpu:
        convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
        convert(module)
        return
    for name, child in list(module.named_children()):
        if type(child) is nn.BatchNorm2d:
            shared = SharedBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum)
            shared.load_state_dict(child.state_dict())
            setattr(module, name, shared.train(child.training))
        else:
            share_norms(child, on_gpu)
