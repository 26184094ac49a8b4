"""Linen blocks that two families or more use."""

from typing import TYPE_CHECKING

from gm_jax.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from gm_jax.nets.coders import Coder as Coder
    from gm_jax.nets.coders import ConvCoder as ConvCoder
    from gm_jax.nets.coders import DenseCoder as DenseCoder
    from gm_jax.nets.denoisers import Denoiser as Denoiser
    from gm_jax.nets.denoisers import DenseDenoiser as DenseDenoiser
    from gm_jax.nets.discriminators import ConvDiscriminator as ConvDiscriminator
    from gm_jax.nets.discriminators import DenseDiscriminator as DenseDiscriminator
    from gm_jax.nets.discriminators import Discriminator as Discriminator
    from gm_jax.nets.flows import Flow as Flow
    from gm_jax.nets.flows import ImageFlow as ImageFlow
    from gm_jax.nets.flows import VectorFlow as VectorFlow
    from gm_jax.nets.generators import ConvGenerator as ConvGenerator
    from gm_jax.nets.generators import DenseGenerator as DenseGenerator
    from gm_jax.nets.generators import Generator as Generator
    from gm_jax.nets.residual_coder import ResidualCoder as ResidualCoder
    from gm_jax.nets.unet import UNet as UNet

_LAZY = {
    "Coder": "gm_jax.nets.coders:Coder",
    "ConvCoder": "gm_jax.nets.coders:ConvCoder",
    "ConvDiscriminator": "gm_jax.nets.discriminators:ConvDiscriminator",
    "ConvGenerator": "gm_jax.nets.generators:ConvGenerator",
    "Denoiser": "gm_jax.nets.denoisers:Denoiser",
    "DenseCoder": "gm_jax.nets.coders:DenseCoder",
    "DenseDenoiser": "gm_jax.nets.denoisers:DenseDenoiser",
    "DenseDiscriminator": "gm_jax.nets.discriminators:DenseDiscriminator",
    "DenseGenerator": "gm_jax.nets.generators:DenseGenerator",
    "Discriminator": "gm_jax.nets.discriminators:Discriminator",
    "Flow": "gm_jax.nets.flows:Flow",
    "Generator": "gm_jax.nets.generators:Generator",
    "ImageFlow": "gm_jax.nets.flows:ImageFlow",
    "ResidualCoder": "gm_jax.nets.residual_coder:ResidualCoder",
    "UNet": "gm_jax.nets.unet:UNet",
    "VectorFlow": "gm_jax.nets.flows:VectorFlow",
}

__all__ = sorted(_LAZY)
__getattr__, __dir__ = lazy_exports(__name__, _LAZY)
