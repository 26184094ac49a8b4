"""The mixture of Gaussians against scikit-learn and closed forms."""

import dataclasses
import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

import gm_jax
from gm_jax.data import Clusters, Data, DataSpec, Digits
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM
from gm_jax.rng import rngs_from_seed
from gm_jax.training.pending import NonFiniteError

SPEC = DataSpec((1, 1, 2), num_classes=4, continuous=True)
POINTS = Clusters(num_train=600).open("train").load_all()
X = POINTS["image"].reshape(-1, 2).astype(np.float64)
SKLEARN = {"full": "full", "diagonal": "diag", "tied": "tied"}


def fresh(model, spec=SPEC):
    return jax.jit(lambda: model.init(rngs_from_seed(0), spec))()


def run_em(model, state, steps, batches=(POINTS,)):
    """States and losses of updates on the batches in turn."""
    update, losses = jax.jit(model.update), []
    for step in range(steps):
        batch = batches[step % len(batches)]
        state, metrics = update(state, batch, rngs_from_seed(1).at(step))
        chex.assert_tree_all_finite(metrics)
        losses.append(float(metrics["loss"]))
    return state, losses


def covariances(state):
    scales = np.asarray(state.params["scales"], np.float64)[0]
    return scales**2 if scales.ndim == 2 else scales @ scales.swapaxes(-1, -2)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "tied"])
def test_em_is_scikit_learns_from_the_same_start(covariance):
    means = X[:4]
    precisions = {"full": np.tile(np.eye(2), (4, 1, 1)), "diagonal": np.ones((4, 2))}
    theirs = GaussianMixture(
        4,
        covariance_type=SKLEARN[covariance],
        weights_init=np.full(4, 0.25),
        means_init=means,
        precisions_init=precisions.get(covariance, np.eye(2)),
        max_iter=15,
        tol=0.0,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(X)
    model = GMM(covariance=covariance, num_components=4)
    state = fresh(model)
    params = {**state.params, "means": jnp.asarray(means, jnp.float32)[None]}
    state = state.replace(step=jnp.ones((), jnp.int32), params=params)  # started already
    state, losses = run_em(model, state, 15)
    assert all(b <= a + 1e-5 for a, b in itertools.pairwise(losses))  # EM never gets worse
    assert losses[0] - losses[-1] > 0.1
    # Theirs after the E-step of the last iteration, as ours.
    np.testing.assert_allclose(-losses[-1], theirs.lower_bound_, rtol=1e-4)
    log_density = model.log_density(state, POINTS["image"])
    np.testing.assert_allclose(log_density.mean(), theirs.score(X), rtol=1e-4)
    np.testing.assert_allclose(state.params["weights"][0], theirs.weights_, atol=1e-3)
    np.testing.assert_allclose(state.params["means"][0], theirs.means_, atol=5e-3)
    expected = theirs.covariances_
    np.testing.assert_allclose(covariances(state).reshape(expected.shape), expected, atol=1e-2)


def test_the_start_is_seeds_with_one_spherical_covariance():
    model = GMM(num_components=4, accumulate_steps=2, starts=1, lloyd_steps=0)  # no M-step yet
    state, _ = run_em(model, fresh(model), 1)
    for mean in state.params["means"][0]:
        assert (np.asarray(mean, np.float64) == X).all(1).any()
    expected = X.var(0).mean() * np.eye(2)
    np.testing.assert_allclose(covariances(state), np.tile(expected, (4, 1, 1)), rtol=1e-4)


def test_the_start_is_the_best_k_means_with_the_covariance_within_its_clusters():
    model = GMM(num_components=4, accumulate_steps=2)
    state, _ = run_em(model, fresh(model), 1)
    theirs = KMeans(4, n_init=20, random_state=0).fit(X)
    distances = ((X[:, None] - np.asarray(state.params["means"])) ** 2).sum(-1)  # [N, K]
    cost = distances.min(1).mean()
    np.testing.assert_allclose(cost, theirs.inertia_ / len(X), rtol=0.01)
    np.testing.assert_allclose(
        covariances(state), np.tile(cost / 2 * np.eye(2), (4, 1, 1)), rtol=1e-4
    )


def test_statistics_of_an_epoch_of_batches_make_the_m_step_of_the_whole():
    batches = [{k: v[i : i + 150] for k, v in POINTS.items()} for i in range(0, 600, 150)]
    start = dataclasses.replace(GMM(num_components=3), accumulate_steps=1)
    state, _ = run_em(start, fresh(start), 2)
    state = state.replace(step=jnp.full((), 4, jnp.int32))
    whole, (loss,) = run_em(start, state, 1)
    parts, losses = run_em(dataclasses.replace(start, accumulate_steps=4), state, 4, batches)
    np.testing.assert_allclose(np.mean(losses), loss, rtol=1e-5)
    chex.assert_trees_all_close(parts.params, whole.params, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(whole.model_state["statistics"].counts.sum(), 600, rtol=1e-4)


@pytest.mark.slow
def test_stepwise_em_nears_the_likelihood_of_em():
    batches = [{k: v[i : i + 60] for k, v in POINTS.items()} for i in range(0, 600, 60)]
    model = GMM(num_components=4, algorithm="stepwise", step_exponent=0.7)
    state, _ = run_em(model, fresh(model), 200, batches)
    _, losses = run_em(dataclasses.replace(model, algorithm="batch"), state, 30)
    np.testing.assert_allclose(-model.log_density(state, POINTS["image"]).mean(), losses[-1], 0.01)
    np.testing.assert_allclose(state.model_state["statistics"].counts.sum(), 1.0, rtol=1e-4)
    # Its first step, from the start's statistics, by the formula.
    moved, _ = run_em(model, fresh(model), 1)
    whole = GMM(num_components=4)
    new = run_em(whole, fresh(whole), 1)[0].model_state["statistics"]
    eta = 2.0**-0.7
    counts = (1 - eta) * 0.25 + eta * new.counts / 600
    np.testing.assert_allclose(moved.model_state["statistics"].counts, counts, rtol=1e-4)


def test_each_class_has_the_mixture_of_its_examples():
    model = GMM(num_components=2, per_class=True, shrinkage=0.0)
    state, losses = run_em(model, fresh(model), 6)
    label, x = POINTS["label"], POINTS["image"]
    shares = np.bincount(label) / 600
    np.testing.assert_allclose(state.params["class_weights"], shares, rtol=1e-5)
    assert all(b <= a + 1e-5 for a, b in itertools.pairwise(losses))
    for y in range(4):  # a mean of a mixture is that of its examples
        mixture = state.params["weights"][y] @ state.params["means"][y]
        np.testing.assert_allclose(mixture, x[label == y].mean((0, 1, 2)), atol=2e-3)
    figures = model.evaluate(state, POINTS, rngs_from_seed(0))
    assert set(figures) == {"neg_log_prob", "error"}
    assert figures["error"].mean() < 0.05
    samples = np.asarray(model.sample(state, rngs_from_seed(2), 800))
    for y in range(4):  # without a condition the classes take turns
        np.testing.assert_allclose(
            samples[y::4].mean((0, 1, 2)), x[label == y].mean(0)[0, 0], atol=0.4
        )
    np.testing.assert_array_equal(
        samples, model.sample(state, rngs_from_seed(2), 800, np.arange(800) % 4)
    )


@pytest.mark.parametrize("covariance", ["full", "diagonal", "tied"])
def test_samples_have_the_mixtures_moments(covariance):
    model = GMM(num_components=3, covariance=covariance)
    state, _ = run_em(model, fresh(model), 5)
    samples = np.asarray(jax.jit(model.sample, static_argnums=2)(state, rngs_from_seed(3), 20_000))
    chex.assert_shape(samples, (20_000, 1, 1, 2))
    chex.assert_type(samples, np.float32)
    samples, weights = samples.reshape(-1, 2), np.asarray(state.params["weights"][0])
    means = np.asarray(state.params["means"][0])
    within = covariances(state)
    if covariance == "diagonal":
        within = within[..., None] * np.eye(2)
    mean = weights @ means
    centred = means - mean
    expected = np.einsum("k,kij->ij", weights, within + centred[:, :, None] * centred[:, None, :])
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.08)
    np.testing.assert_allclose(np.cov(samples.T), expected, atol=0.2)


def test_bits_per_dim_bound_what_the_bins_hold():
    """Images of two values with four levels: all 16, and the exact mass of each one's bin."""
    spec = DataSpec((1, 2, 1), num_levels=4)
    model = GMM(num_components=2, covariance="diagonal")
    # Wide beside the bins of 1/4, so that few draws of the noise say what a bin holds.
    means, scales = np.array([[0.3, 0.6], [0.7, 0.2]]), np.array([[0.3, 0.4], [0.35, 0.3]])
    params = {
        "class_weights": jnp.ones(1),
        "weights": jnp.array([[0.4, 0.6]]),
        "means": jnp.asarray(means, jnp.float32)[None],
        "scales": jnp.asarray(scales, jnp.float32)[None],
    }
    state = fresh(model, spec).replace(params=params)
    levels = np.array(list(itertools.product(range(4), repeat=2)))
    batch = {"image": levels.reshape(16, 1, 2, 1).astype(np.uint8)}
    mass = stats.norm(means, scales).cdf((levels[:, None] + 1) / 4)
    mass -= stats.norm(means, scales).cdf(levels[:, None] / 4)  # [16, K, D]
    exact = np.log(mass.prod(-1) @ [0.4, 0.6])
    # By much noise log_prob is the mass itself; by one draw, on average, less.
    estimate = jax.jit(model.log_prob, static_argnums=3)(state, batch, rngs_from_seed(0), 4000)
    np.testing.assert_allclose(estimate, exact, atol=0.025)
    draws = jax.vmap(lambda i: model.evaluate(state, batch, rngs_from_seed(0).at(i)))
    figures = jax.jit(draws)(jnp.arange(2000))
    bound = np.asarray(figures["neg_log_prob"], np.float64)  # [2000, 16]
    nodes, weights = np.polynomial.legendre.leggauss(16)
    u = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2) / 2 + 0.5  # [256, D] in (0, 1)
    density = stats.norm(means, scales).pdf((levels[:, None, None] + u[:, None]) / 4)
    mean = np.log(density.prod(-1) @ [0.4, 0.6]) @ np.outer(weights, weights).reshape(-1) / 4
    expected = 2 * math.log(4) - mean  # D log L minus the mean of log p over the bin
    assert (expected > -exact).all()
    stderr = bound.std(0) / math.sqrt(2000)
    np.testing.assert_array_less(np.abs(bound.mean(0) - expected), 5 * stderr)
    assert stderr.max() < 0.02
    np.testing.assert_allclose(
        figures["bits_per_dim"], figures["neg_log_prob"] / (2 * math.log(2)), rtol=1e-4
    )
    assert model.figure_kinds(spec)["bits_per_dim"] == "bound"
    samples = np.asarray(model.sample(state, rngs_from_seed(0), 4000))
    chex.assert_type(samples, np.uint8)
    found = np.bincount(samples.reshape(-1, 2) @ [4, 1], minlength=16) / 4000
    inside = [5, 6, 9, 10]  # what lies beyond the ends is clipped into the first and last bins
    np.testing.assert_allclose(found[inside], np.exp(exact)[inside], atol=0.03)


@pytest.mark.parametrize(
    ("covariance", "algorithm"), [("full", "batch"), ("diagonal", "stepwise"), ("tied", "batch")]
)
def test_an_empty_component_stays_alive(covariance, algorithm):
    model = GMM(num_components=2, covariance=covariance, algorithm=algorithm, revival_steps=0)
    state = fresh(model)
    far = state.params["means"].at[0, 1].set(1e4)  # where no point is
    statistics = state.model_state["statistics"]._replace(mean=far)
    state = state.replace(
        step=jnp.ones((), jnp.int32),
        params={**state.params, "means": far},
        model_state={"statistics": statistics},
    )
    state, _ = run_em(model, state, 3)
    chex.assert_tree_all_finite((state.params, state.model_state))
    np.testing.assert_allclose(state.params["means"][0, 1], 1e4)
    assert 0 < state.params["weights"][0, 1] < 1e-5
    if covariance != "tied":
        found = covariances(state)[1]
        expected = np.diag(X.var(0)) if covariance == "full" else X.var(0)
        np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize(
    ("covariance", "algorithm"),
    [
        ("full", "batch"),
        pytest.param("diagonal", "stepwise", marks=pytest.mark.slow),
        ("tied", "batch"),
    ],
)
def test_a_gaussian_that_lost_its_examples_is_revived(covariance, algorithm):
    """Two of four start where no point is; they end as if they had not."""
    model = GMM(num_components=4, covariance=covariance, algorithm=algorithm)
    steps = 40
    _, losses = run_em(model, fresh(model), steps)
    state = fresh(model)
    means = jnp.asarray(X[:4], jnp.float32)[None].at[0, 1:3].set(1e4)
    statistics = state.model_state["statistics"]._replace(mean=means)
    state = state.replace(
        step=jnp.ones((), jnp.int32),
        params={**state.params, "means": means},
        model_state={"statistics": statistics},
    )
    state, after = run_em(model, state, steps)
    assert state.params["weights"].min() > 0.05
    assert abs(np.asarray(state.params["means"])).max() < 20
    if algorithm == "batch":  # the other still remembers much of its start
        np.testing.assert_allclose(after[-1], losses[-1], atol=0.02)
    np.testing.assert_allclose(
        state.model_state["statistics"].counts.sum(), 600 if algorithm == "batch" else 1, rtol=0.01
    )


@pytest.mark.parametrize("shrink_to", ["class", "data"])
def test_shrinkage_widens_by_the_variances_it_names(shrink_to):
    model = GMM(num_components=2, per_class=True, shrinkage=1e6, shrink_to=shrink_to)
    state, _ = run_em(model, fresh(model), 1)
    label = POINTS["label"]
    for y in range(4):
        of = X[label == y] if shrink_to == "class" else X
        found = np.asarray(state.params["scales"])[y]
        expected = np.tile(np.diag(of.std(0)), (2, 1, 1))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_class_that_is_not_in_the_batch_keeps_its_mixture():
    model = GMM(num_components=2, per_class=True)
    state, _ = run_em(model, fresh(model), 2)
    some = {k: v[POINTS["label"] != 3] for k, v in POINTS.items()}
    after, _ = run_em(model, state, 1, [some])
    for name in ("means", "scales", "weights"):
        chex.assert_trees_all_close(after.params[name][3], state.params[name][3], rtol=1e-6)
    chex.assert_tree_all_finite(after.params)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "tied"])
def test_equal_examples_are_no_singularity(covariance):
    same = {"image": np.full((50, 1, 1, 2), 3.0, np.float32)}
    model = GMM(num_components=3, covariance=covariance, variance_floor=1e-4)
    state, losses = run_em(model, fresh(model), 4, [same])
    chex.assert_tree_all_finite(state.params)
    np.testing.assert_allclose(losses[-1], math.log(2 * math.pi * 1e-4), rtol=1e-4)


def test_a_singular_covariance_stops_with_one_line(tmp_path):
    # 40 points of 3 dimensions, all on one line: the floor is below what float32 can tell.
    source = Clusters(
        weights=(1.0,),
        means=(0.0, 0.0),
        deviations=(1e3, 1e3),
        correlations=(0.99999999999,),
        num_train=40,
    )
    data = Data(source=source, train="train", valid=None, test="test", batch_size=40)
    model = GMM(num_components=1, variance_floor=1e-30)
    training = Training(num_steps=3, eval_every=0, sample_every=0)
    with pytest.raises(NonFiniteError, match=r"singular: try a larger model.variance_floor") as e:
        gm_jax.fit(Experiment(data=data, model=model, training=training), tmp_path / "gmm")
    assert "\n" not in str(e.value)
    assert "learning" not in str(e.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GMM(variance_floor=0.0), "GMM.variance_floor must be greater than 0"),
        (lambda: GMM(num_components=0), "GMM.num_components must be greater than 0"),
        (lambda: GMM(starts=0), "GMM.starts must be greater than 0"),
        (lambda: GMM(lloyd_steps=-1), "GMM.lloyd_steps must be 0 or greater"),
        (lambda: GMM(revival_steps=-1), "GMM.revival_steps must be 0 or greater"),
        (lambda: GMM(shrinkage=-0.1), "GMM.shrinkage must be 0 or greater"),
        (lambda: GMM(covariance="diag"), "GMM.covariance must be one of"),
        (lambda: GMM(step_exponent=0.5), r"GMM.step_exponent must be in \(0.5, 1\]"),
        (lambda: GMM(algorithm="stepwise", accumulate_steps=2), "is for the algorithm batch"),
        (lambda: fresh(GMM(per_class=True), DataSpec((2, 2, 1))), "GMM needs labels"),
    ],
)
def test_impossible_values(make, message):
    with pytest.raises(ConfigError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_condition_without_classes_is_refused():
    with pytest.raises(UserError, match="trained without labels"):
        GMM().sample(fresh(GMM()), rngs_from_seed(0), 2, np.zeros(2, np.int32))


def test_through_the_loop_with_pictures_of_the_density(tmp_path):
    data = Data(source=Clusters(num_train=64), train="train", valid="validation", batch_size=32)
    experiment = Experiment(
        data=dataclasses.replace(data, limit=64),
        model=GMM(num_components=2, accumulate_steps=2),
        training=Training(num_steps=2, eval_every=2, sample_every=1),
    )
    run = gm_jax.fit(experiment, tmp_path / "gmm")
    pictures = sorted(p.name for p in (run.folder / "samples").glob("*_density.png"))
    assert pictures == ["step_00000001_density.png", "step_00000002_density.png"]
    picture = np.asarray(Image.open(run.folder / "samples" / pictures[1]))
    chex.assert_shape(picture, (450, 450, 3))
    batch = run.batch(5)
    np.testing.assert_allclose(
        run.log_prob(batch), run.model.log_density(run.state, batch["image"]), rtol=1e-5
    )


@pytest.mark.slow
def test_two_gaussians_a_class_beat_one_on_digits():
    """On the validation images, with the recipe's settings, and no Gaussian is lost."""
    split = Digits().open("train").load_all()
    train, valid = (
        {name: split[name][part] for name in ("image", "label")}
        for part in (slice(1347), slice(1347, None))
    )
    spec = DataSpec((8, 8, 1), num_levels=17, num_classes=10)
    model = GMM(num_components=2, per_class=True, shrinkage=0.1, variance_floor=2e-4)
    state, _ = run_em(model, fresh(model, spec), 8, [train])
    assert state.params["weights"].min() > 0.1
    two = jax.jit(model.evaluate)(state, valid, rngs_from_seed(0))["bits_per_dim"].mean()

    def values(batch):
        noise = np.random.default_rng(0).uniform(size=batch["image"].shape)
        return ((batch["image"] + noise) / 17).reshape(-1, 64)

    x, z = values(train), values(valid)
    joint = []
    for y in range(10):  # the best single Gaussians, by the same prior
        mine = x[train["label"] == y]
        covariance = np.cov(mine.T, ddof=0)
        covariance = (covariance + 0.1 * np.diag(np.diag(covariance))) / 1.1 + 2e-4 * np.eye(64)
        log_density = stats.multivariate_normal(mine.mean(0), covariance).logpdf(z)
        joint.append(log_density + np.log(len(mine) / len(x)))
    one = math.log2(17) - logsumexp(joint, 0).mean() / (64 * math.log(2))
    assert two < one - 0.02
