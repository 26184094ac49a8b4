"""Further ways that parameters of ours lie in layers over maps."""

from torch import nn

from benchmarks.twins.torch_side.parameters import Parameters, put


class MapParameters(Parameters):
    def pointwise(self, name: str, layer: nn.Conv1d | nn.Conv2d) -> None:
        """A dense layer over the channels, in a convolution of one tap."""
        kernel = self.take(f"{name}/kernel").T
        put(layer.weight, kernel.reshape(layer.weight.shape))
        self._bias(name, layer.bias)

    def kernel(self, name: str, layer: nn.Conv2d, mirrored: bool = False) -> None:
        """A kernel [h, w, I, O] that is a parameter by itself."""
        kernel = self.take(name)
        kernel = kernel.flip([0, 1]) if mirrored else kernel
        put(layer.weight, kernel.permute(3, 2, 0, 1))
