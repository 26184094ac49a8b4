"""Our parameters, copied into modules of PyTorch: each exactly once."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


class Parameters:
    """Ours by their paths, such as "encoder/Conv_0/kernel"; what was taken is gone."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self._left = dict(arrays)

    def take(self, name: str) -> torch.Tensor:
        if name not in self._left:
            raise KeyError(f"{name}: no such parameter is left; there are {sorted(self._left)}")
        return torch.from_numpy(np.array(self._left.pop(name)))

    def finish(self) -> None:
        if self._left:
            raise ValueError(f"never used: {sorted(self._left)}")

    def copy(self, name: str, parameter: torch.Tensor) -> None:
        """As it is."""
        put(parameter, self.take(name))

    def dense(self, name: str, layer: nn.Linear) -> None:
        put(layer.weight, self.take(f"{name}/kernel").T)
        self._bias(name, layer.bias)

    def dense_of_maps(self, name: str, layer: nn.Linear, size: tuple[int, int]) -> None:
        """From mirrored maps [H, W, C], flattened."""
        kernel = self.take(f"{name}/kernel")
        put(layer.weight, mirrored_rows(kernel, size).T)
        self._bias(name, layer.bias)

    def dense_to_maps(self, name: str, layer: nn.Linear, size: tuple[int, int]) -> None:
        """To mirrored maps [H, W, C], flattened."""
        kernel = self.take(f"{name}/kernel")
        put(layer.weight, mirrored_rows(kernel.T, size))
        if layer.bias is not None:
            put(layer.bias, mirrored_rows(self.take(f"{name}/bias"), size))

    def conv(self, name: str, layer: nn.Module, mirrored: bool = False) -> None:
        """[*kernel, I, O] to [O, I, *kernel], for any number of axes."""
        kernel = self.take(f"{name}/kernel")
        space = range(kernel.ndim - 2)
        kernel = kernel.flip(list(space)) if mirrored else kernel
        put(layer.weight, kernel.permute(-1, -2, *space))
        self._bias(name, layer.bias)

    def conv_transpose(self, name: str, layer: nn.Module, mirrored: bool = False) -> None:
        """[*kernel, I, O] to [I, O, *kernel]; PyTorch's is the adjoint, so its kernel is flipped.

        Unless the maps are mirrored, which flips it once more.
        """
        kernel = self.take(f"{name}/kernel")
        space = range(kernel.ndim - 2)
        kernel = kernel if mirrored else kernel.flip(list(space))
        put(layer.weight, kernel.permute(-2, -1, *space))
        self._bias(name, layer.bias)

    def norm(self, name: str, layer: nn.Module) -> None:
        put(layer.weight, self.take(f"{name}/scale"))
        self._bias(name, layer.bias)

    def _bias(self, name: str, bias: torch.Tensor | None) -> None:
        if bias is not None:
            put(bias, self.take(f"{name}/bias"))


def put(parameter: torch.Tensor, value: torch.Tensor) -> None:
    """Copies a value of the same shape."""
    if parameter.shape != value.shape:
        raise ValueError(f"shape {tuple(value.shape)} of ours, {tuple(parameter.shape)} here")
    with torch.no_grad():
        parameter.copy_(value)


def mirrored_rows(array: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[H W C, ...] with H and W in reverse."""
    return array.reshape(*size, -1, *array.shape[1:]).flip([0, 1]).reshape(array.shape)
