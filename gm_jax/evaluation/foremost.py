"""Which figure stands for a run where there is room for one. Needs no jax."""

from collections.abc import Collection, Mapping

_BITS = ("neg_log_prob_bits_per_dim", "bits_per_dim")
_NATS = ("neg_log_prob", "neg_elbo")
_READ = ("label_agreement", "good_share", "read_surely")
_OTHERS = ("error", "accuracy", "mse", "classes_covered", "loss")


def foremost(
    names: Collection[str], levels: int | None, kinds: Mapping[str, str] | None = None
) -> str | None:
    """The name of the figure that stands for all, if there is any.

    Of several likelihoods the tightest comes first: an importance-weighted or a whole bound before
    that of one draw.

    Args:
      names: of the figures of one run.
      levels: of the data's values, None of points: binary images and points are told in nats, since
        bits/dim of a density depend on its unit.
      kinds: what the figures are worth, by name; one that is missing counts as sound.
    """
    known = kinds or {}
    likelihoods = (*_NATS, *_BITS) if levels in (None, 2) else (*_BITS, *_NATS)
    sound = [n for n in likelihoods if known.get(n, "bound") in ("exact", "bound")]
    # A cross-entropy of grey values says more than an error, and less than what a reader saw.
    order = (*sound, *_READ, *likelihoods, *_OTHERS)
    return next((name for name in order if name in names), None)
