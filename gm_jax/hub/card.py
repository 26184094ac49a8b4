"""A model card: README.md with front matter, as the Hugging Face Hub reads it, made from a run.

What it tells is what the run's folder holds: figures with their kinds, what training took, a
picture. Nothing is evaluated for it.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from gm_jax.evaluation.figure import Figure
from gm_jax.experiment_json import read_json
from gm_jax.model import can
from gm_jax.printing import brief
from gm_jax.results.from_runs import figures_of, last_part, measured_of
from gm_jax.results.headline import LABELS, in_order
from gm_jax.results.markdown import table
from gm_jax.run import Run
from gm_jax.training.folder import RunFolder
from gm_jax.training.pictures import newest_picture
from gm_jax.training.records import read_records, spent
from gm_jax.weights import FILE_NAME
from gm_jax.whole_file import replacing, write_text

CARD = "README.md"
PICTURE = "samples.png"

_UNKNOWN = "unknown"
"""The Hub's word for a licence that nobody has named."""

_KINDS = {
    "exact": "the quantity itself",
    "bound": "on the side that flatters nobody",
    "surrogate": "a loss that was trained on, of no meaning across models",
    "error": "a distance between images",
    "estimate": "of a finite number of draws",
}


def write_card(run: Run, out: Path, licence: str | None = None) -> list[Path]:
    """Writes a model card, and beside it the run's newest picture, if there is one.

    Args:
      run: what the card is of.
      out: the file; a picture that lies below its folder is not copied.
      licence: e.g. "apache-2.0", as the Hub spells it; None: to be filled in.

    Returns:
      What was written: the card first.
    """
    picture = newest_picture(run.folder)
    written = [out]
    link: str | None = None
    if picture is not None:
        folder = out.parent.resolve()
        if picture.resolve().is_relative_to(folder):
            link = picture.resolve().relative_to(folder).as_posix()
        else:
            copy = out.with_name(PICTURE)
            with replacing(copy) as aside:
                shutil.copyfile(picture, aside)
            link = PICTURE
            written.append(copy)
    write_text(out, card_text(run, licence, link))
    return written


def card_text(run: Run, licence: str | None = None, picture: str | None = None) -> str:
    """The card.

    Args:
      run: what it is of.
      licence: as in `write_card`.
      picture: what it links to; None: no picture.
    """
    name = run.experiment.name or type(run.model).__name__
    plain = _plain(run)
    parts = [
        _front_matter(run, licence),
        f"# {name}",
        _about(run),
        f"![samples]({picture})" if picture else "",
        _use(run),
        f"## Data\n\n{_data(run)}",
        f"## Figures\n\n{_figures(run)}",
        f"## Training\n\n{_training(run, plain)}",
        f"## Settings\n\n{_settings(run)}",
        f"## Licence\n\n{licence or 'Not said yet: fill it in here and at the top.'}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(run: Run, licence: str | None) -> str:
    tags = ["gm_jax", "jax", "flax", "generative-model", type(run.model).__name__.lower()]
    fields: dict[str, Any] = {"library_name": "gm_jax", "license": licence or _UNKNOWN}
    spec = run.spec
    if can(run.model, spec, "sample") and not (run.model.conditional or spec.continuous):
        fields["pipeline_tag"] = "unconditional-image-generation"
    fields["tags"] = tags
    # What JSON says, YAML says too.
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join(["---", *lines, "---"])


def _about(run: Run) -> str:
    model = type(run.model)
    module = sys.modules[model.__module__]
    first = (module.__doc__ or model.__doc__ or "").strip().partition("\n")[0]
    num = sum(leaf.size for leaf in jax.tree.leaves(run.state.params))
    labels = " Draws by label." if run.model.conditional else ""
    return f"{first}{labels}\n\n{num:,} parameters, after {run.step:,} steps of training."


def _use(run: Run) -> str:
    call = "run.sample(64, seed=0)"
    shape = ", ".join(map(str, run.spec.shape))
    kind = "float32" if run.spec.continuous else "uint8 levels"
    lines = ["import gm_jax", "", f'run = gm_jax.open("{FILE_NAME}")']
    if can(run.model, run.spec, "sample"):
        lines.append(f"images = {call}  # {kind} [64, {shape}]")
    code = "\n".join(lines)
    return f"## Use\n\n```python\n{code}\n```"


def _data(run: Run) -> str:
    spec, data = run.spec, run.experiment.data
    height, width, channels = spec.shape
    values = "points, float32" if spec.continuous else f"{spec.num_levels} levels"
    rows = [
        ["source", f"`{brief(data.source)}`"],
        ["shape", f"{height}x{width}x{channels}"],
        ["values", values],
        ["classes", "none" if spec.num_classes is None else str(spec.num_classes)],
        ["trained on", f"`{data.train}`"],
        ["figures of", f"`{data.test}`"],
    ]
    return table(["", ""], rows)


def _figures(run: Run) -> str:
    found = _test_figures(run)
    if not found:
        return f"None were kept of step {run.step:,}."
    names = in_order(found)
    rows = [[_title(n), _value(found[n]), found[n].kind, f"{found[n].n:,}"] for n in names]
    kinds = dict.fromkeys(found[name].kind for name in names)
    told = "; ".join(f"*{kind}*: {_KINDS[kind]}" for kind in kinds)
    about = "Of the test split, and of samples beside it."
    return f"{about}\n\n{table(['figure', 'value', 'kind', 'of'], rows)}\n\n{told}."


def _title(name: str) -> str:
    """E.g. bits/dim, or FID in random-1a2b3c4d."""
    plain, _, features = name.partition("@")
    title = LABELS.get(plain, plain.replace("_", " "))
    return f"{title} in {features}" if features else title


def _value(figure: Figure) -> str:
    return f"{figure.value:.6g}" + (f" ± {figure.stderr:.2g}" if figure.stderr else "")


def _test_figures(run: Run) -> dict[str, Figure]:
    """What the run's folder keeps of this very checkpoint."""
    if not run.folder.is_dir():
        return {}
    lines = read_records(RunFolder(run.folder).metrics)
    told: Mapping[str, Any] = next(
        (
            line
            for line in reversed(lines)
            if line.get("phase") == "test" and line.get("step") == run.step
        ),
        {},
    )
    return {**figures_of(run.folder, told), **measured_of(run.folder, "test", run.step)}


def _training(run: Run, plain: Mapping[str, Any]) -> str:
    batch = run.experiment.data.batch_size
    rows = [
        ["steps", f"{run.step:,} of {run.experiment.training.num_steps:,}"],
        ["examples seen", f"{run.step * batch:,}, in batches of {batch}"],
        ["seed", str(run.experiment.seed)],
    ]
    if plain:
        took, part = spent(read_records(RunFolder(run.folder).metrics)), last_part(plain)
        machine = part.get("machine") or {}
        versions = part.get("versions") or {}
        rows.append(["core-minutes", f"{took.cpu_seconds / 60:.3g}, validations among them"])
        rows.append(["minutes", f"{took.seconds / 60:.3g}"])
        if took.peak_mib is not None:
            rows.append(["peak memory", f"{took.peak_mib:,} MiB"])
        rows += [[name, str(value)] for name, value in machine.items() if value is not None]
        rows.append(["versions", ", ".join(f"{n} {v}" for n, v in versions.items())])
        if part.get("commit"):
            dirty = ", and code in no commit" if part.get("dirty") else ""
            rows.append(["commit", f"{part['commit']}{dirty}"])
        if init := plain.get("init"):
            of = f"{init['experiment']}, step {init['step']:,}" if init["experiment"] else "weights"
            rows.append(["started from", f"{of} (digest {init['digest'][:12]})"])
    return table(["", ""], rows)


def _settings(run: Run) -> str:
    rows = "\n".join(f"{name} = {value}" for name, value in run.experiment.table().items())
    return f"```\n{rows}\n```"


def _plain(run: Run) -> Mapping[str, Any]:
    """What experiment.json says; nothing of a file of weights."""
    file = RunFolder(run.folder).experiment
    return read_json(file) if file.is_file() else {}
