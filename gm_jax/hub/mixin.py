"""A run as a class of the package huggingface_hub: from_pretrained, save_pretrained, push_to_hub.

The package is no dependency of gm_jax: pip install 'gm_jax[hub]'.
"""

from pathlib import Path
from typing import Any

from gm_jax.errors import UserError
from gm_jax.hub.folder import write_folder
from gm_jax.run import Run, open_weights
from gm_jax.weights import FILE_NAME

try:
    from huggingface_hub import ModelHubMixin, snapshot_download
except ImportError as error:
    raise UserError(
        "gm_jax.hub.mixin needs the package huggingface_hub: pip install 'gm_jax[hub]'"
    ) from error


class HubModel(ModelHubMixin, library_name="gm_jax", tags=["gm_jax", "jax", "flax"]):
    """A run that the Hub's own calls save and open.

    model = HubModel(gm_jax.open("runs/digits/vae"), licence="apache-2.0")
    model.save_pretrained("digits-vae")  # or model.push_to_hub("me/digits-vae")
    images = HubModel.from_pretrained("digits-vae").run.sample(64, seed=0)

    Attributes:
      run: what it holds.
      licence: that a new card names.
    """

    def __init__(self, run: Run, licence: str | None = None):
        self.run, self.licence = run, licence

    def _save_pretrained(self, save_directory: Path) -> None:
        write_folder(self.run, save_directory, self.licence)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "HubModel":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        return cls(open_weights(folder / FILE_NAME), **model_kwargs)
