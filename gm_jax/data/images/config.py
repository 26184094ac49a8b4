"""Images of one's own, or a public set of photographs, as the data of an experiment."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar, Self

from gm_jax.data.config import AnyData
from gm_jax.data.images.folder import Channels, ImageFolder, Unreadable, check_image_fields
from gm_jax.data.images.labels import Labels
from gm_jax.data.source import Source
from gm_jax.data.store.prepared import check_known, find_prepared
from gm_jax.data.store.public.automatic import prepare_if_small
from gm_jax.data.store.tfds import Tfds
from gm_jax.data.transform_text import TRANSFORMS
from gm_jax.data.transforms import AspectCrop, CenterCrop, Resize, Transform, height_width
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class ImageData(AnyData):
    """A folder or an archive of images, or a TFDS set, cut to one size."""

    path: Path | str | None = None
    """A folder of images, or a .tar, .tar.gz, .tgz or .zip of them (None: the set `tfds`)."""
    size: int | tuple[int, int] = 64
    """Height and width the images get, or one number for both: --data.size 48 64."""
    _: dataclasses.KW_ONLY
    tfds: str | None = None
    """A TFDS set that is taken where no path is given, e.g. celeb_a."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    augment: Annotated[tuple[Transform, ...], TRANSFORMS] = ()
    """Done to the images then: fixed transforms first, then random ones. On the command line, for
    example: quantize:16 horizontal_flip."""
    crop: bool = True
    """Keep proportions and cut out the middle, instead of squeezing the whole picture."""
    channels: Channels = "auto"
    """Of a folder: 1: grey, 3: colour, auto: grey if all images are."""
    background: tuple[int, int, int] = (255, 255, 255)
    """Of a folder: the colour that shines through where an image is transparent."""
    labels: Labels = "auto"
    """Of a folder: by the folder an image lies in, none, or auto: by folder if there are two or
    more and all images lie in one."""
    valid_fraction: float = 0.10
    """Of a folder: the part that is the split validation."""
    test_fraction: float = 0.05
    """Of a folder: the part that is the split test."""
    unreadable: Unreadable = "skip"
    """Of a folder: files that cannot be read are left out and listed, or are an error."""

    _transforms_field: ClassVar[str] = "augment"

    def __post_init__(self) -> None:
        if self.path is not None:  # what a user gives and what experiment.json holds are the same
            object.__setattr__(self, "path", str(self.path))
        check_image_fields(self)
        super().__post_init__()

    @property
    def source(self) -> Source:
        """The folder, or else the TFDS set.

        Raises:
          UserError: neither is given, or the set is not prepared.
        """
        if self.path is not None:
            shared = {f.name for f in dataclasses.fields(ImageFolder)}
            return ImageFolder(**{k: v for k, v in vars(self).items() if k in shared})
        if self.tfds is None:
            raise UserError(
                "there are no images to learn from: give a folder or an archive as data.path",
                "--data.path FOLDER",
            )
        prepare_if_small(self.tfds)
        if find_prepared(self.tfds) is None:
            check_known(self.tfds)
            raise UserError(
                f"{self.tfds} is not prepared: give a folder or an archive of images as data.path, "
                f"or run: gm-jax data prepare {self.tfds}",
                "--data.path FOLDER",
            )
        return Tfds(self.tfds)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """A folder is prepared at its size; a TFDS set becomes the same as it is read."""
        if self.path is not None:
            return self.augment
        square = isinstance(self.size, int)
        crop = (CenterCrop() if square else AspectCrop(self.size),) if self.crop else ()
        return (*crop, Resize(self.size), *self.augment)

    def quick(self) -> Self:
        height, width = height_width(self.size)
        return dataclasses.replace(super().quick(), size=(min(height, 32), min(width, 32)))
