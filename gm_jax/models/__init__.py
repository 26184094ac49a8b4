"""One file per family. A family, and how it draws, is exported here by its public name."""

from typing import TYPE_CHECKING

from gm_jax.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from gm_jax.models.arm import ARM as ARM
    from gm_jax.models.autoencoder import Autoencoder as Autoencoder
    from gm_jax.models.bayes import Bayes as Bayes
    from gm_jax.models.cgan import CGAN as CGAN
    from gm_jax.models.classifier import Classifier as Classifier
    from gm_jax.models.convlstm import ConvLSTM as ConvLSTM
    from gm_jax.models.dcgan import DCGAN as DCGAN
    from gm_jax.models.ddpm import DDPM as DDPM
    from gm_jax.models.diffusion_naive import NaiveDiffusion as NaiveDiffusion
    from gm_jax.models.gan import GAN as GAN
    from gm_jax.models.gmm import GMM as GMM
    from gm_jax.models.pixelcnn import PixelCNN as PixelCNN
    from gm_jax.models.realnvp import RealNVP as RealNVP
    from gm_jax.models.simvp import SimVP as SimVP
    from gm_jax.models.unet_attention import UNetAttention as UNetAttention
    from gm_jax.models.vae import VAE as VAE
    from gm_jax.sampling import AutoregressiveSampling as AutoregressiveSampling
    from gm_jax.sampling import DiffusionSampling as DiffusionSampling
    from gm_jax.sampling import FlowSampling as FlowSampling
    from gm_jax.sampling import LatentSampling as LatentSampling

_LAZY = {
    "ARM": "gm_jax.models.arm:ARM",
    "Autoencoder": "gm_jax.models.autoencoder:Autoencoder",
    "AutoregressiveSampling": "gm_jax.sampling:AutoregressiveSampling",
    "Bayes": "gm_jax.models.bayes:Bayes",
    "CGAN": "gm_jax.models.cgan:CGAN",
    "Classifier": "gm_jax.models.classifier:Classifier",
    "ConvLSTM": "gm_jax.models.convlstm:ConvLSTM",
    "DCGAN": "gm_jax.models.dcgan:DCGAN",
    "DDPM": "gm_jax.models.ddpm:DDPM",
    "DiffusionSampling": "gm_jax.sampling:DiffusionSampling",
    "FlowSampling": "gm_jax.sampling:FlowSampling",
    "GAN": "gm_jax.models.gan:GAN",
    "GMM": "gm_jax.models.gmm:GMM",
    "LatentSampling": "gm_jax.sampling:LatentSampling",
    "NaiveDiffusion": "gm_jax.models.diffusion_naive:NaiveDiffusion",
    "PixelCNN": "gm_jax.models.pixelcnn:PixelCNN",
    "RealNVP": "gm_jax.models.realnvp:RealNVP",
    "SimVP": "gm_jax.models.simvp:SimVP",
    "UNetAttention": "gm_jax.models.unet_attention:UNetAttention",
    "VAE": "gm_jax.models.vae:VAE",
}

__all__ = sorted(_LAZY)
__getattr__, __dir__ = lazy_exports(__name__, _LAZY)
