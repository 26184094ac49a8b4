"""ARM and PixelCNN: enumeration of tiny images, Jacobians, and samplers against each other."""

import dataclasses
import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clu import parameter_overview
from scipy import stats

import gm_jax
from gm_jax.data import Data
from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError
from gm_jax.evaluation.split import Evaluator
from gm_jax.experiment import Experiment
from gm_jax.model import Family, HasLogProb, Inpaints, Samples, compiled
from gm_jax.models.arm import ARM
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.sampling import AutoregressiveSampling
from gm_jax.training.sharding import DataMesh

SQUARE = DataSpec((2, 2, 1), num_levels=2, num_classes=3)
PAIR = DataSpec((1, 2, 2), num_levels=2, num_classes=3)
COLOUR = DataSpec((3, 4, 3), num_levels=3, num_classes=3)
GREY = DataSpec((5, 4, 1), num_levels=4, num_classes=3)

MODELS = {
    "arm": ARM(channels=5, kernel_size=3, dilations=(1, 2, 4)),
    "arm_one_layer": ARM(channels=4, kernel_size=2, dilations=(3,), activation="tanh"),
    "arm_gated": ARM(channels=5, kernel_size=2, dilations=(1, 2, 1), gated=True),
    "arm_labels": ARM(channels=5, kernel_size=3, dilations=(2, 1), conditional=True),
    "arm_gated_labels": ARM(
        channels=4, kernel_size=3, dilations=(1, 2), gated=True, conditional=True
    ),
    "pixelcnn": PixelCNN(channels=6, first_kernel=5, num_blocks=2),
    "pixelcnn_dilated": PixelCNN(
        channels=7, first_kernel=3, num_blocks=2, dilations=(2, 1), output_layers=0
    ),
    "pixelcnn_labels": PixelCNN(channels=6, first_kernel=3, num_blocks=1, conditional=True),
    "gated": PixelCNN(gated=True, channels=5, first_kernel=3, num_blocks=2, output_layers=1),
    "gated_dilated": PixelCNN(
        gated=True, channels=4, first_kernel=5, kernel_size=3, num_blocks=2, dilations=(2, 1)
    ),
    "gated_labels": PixelCNN(
        gated=True, channels=4, first_kernel=1, kernel_size=5, num_blocks=1, conditional=True
    ),
}
FEW = ("arm", "arm_gated_labels", "pixelcnn", "gated", "gated_dilated", "gated_labels")


def each_model(names=tuple(MODELS), **specs):
    """The models of these names with the first of two specs; all others are left to `make slow`."""
    usual = next(iter(specs))
    cases = [
        pytest.param(
            model,
            spec,
            id=f"{size}-{name}",
            marks=() if size == usual and name in names else pytest.mark.slow,
        )
        for size, spec in specs.items()
        for name, model in MODELS.items()
    ]
    return pytest.mark.parametrize(("model", "spec"), cases)


def trained(model, spec, seed=0):
    """A state whose weights make every value depend on those before it."""
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(seed), spec)
    leaves, tree = jax.tree.flatten(state.params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [p + 0.3 * jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    return state.replace(params=jax.tree.unflatten(tree, moved))


def every_image(spec):
    """All images of a spec, uint8 [L^D, H, W, C]."""
    levels = itertools.product(range(spec.num_levels), repeat=spec.num_dims)
    return np.array(list(levels), np.uint8).reshape(-1, *spec.shape)


def batch_of(model, images, label=1):
    batch = {"image": images}
    return {**batch, "label": np.full(len(images), label)} if model.conditional else batch


@each_model(square=SQUARE, channels=PAIR)
def test_the_probabilities_of_all_images_sum_to_one(model, spec):
    state, images = trained(model, spec), every_image(spec)
    measure = jax.jit(lambda *given: (model.log_prob(*given), model.evaluate(*given)))
    log_prob, figures = measure(state, batch_of(model, images), rngs_from_seed(0))
    chex.assert_shape(log_prob, (16,))
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-5)
    assert np.exp(log_prob).std() > 1e-3  # not uniform, which would sum to 1 too
    np.testing.assert_allclose(figures["neg_log_prob"], -log_prob, rtol=1e-6)
    np.testing.assert_allclose(figures["bits_per_dim"], -log_prob / (4 * math.log(2)), rtol=1e-5)
    assert set(model.figure_kinds(spec).values()) == {"exact"}


def dependence(model, spec):
    """Whether the logits of each position depend on each value, bool [D, D], by autodiff."""
    state, num_dims = trained(model, spec), spec.num_dims
    label = jnp.ones((1, 3)) / 3 if model.conditional else None
    network = model._network(spec)

    def logits(x):
        outputs = network.apply({"params": state.params}, model._inputs(x[None]), label)
        # A random sum over the levels depends on whatever one of them depends on.
        return outputs.reshape(num_dims, spec.num_levels) @ jnp.sin(
            1.0 + jnp.arange(spec.num_levels)
        )

    jacobian = jax.jit(jax.jacrev(logits))
    total = np.zeros((num_dims, num_dims))
    for seed in range(2):  # a ReLU that is off hides what it would pass on
        x = jax.random.normal(jax.random.key(seed), spec.shape)
        total += np.abs(jacobian(x).reshape(num_dims, num_dims))
    return total > 0


@each_model(colour=COLOUR, grey=GREY)
def test_no_logit_depends_on_its_own_value_or_a_later_one(model, spec):
    # So narrow a network may have no ReLU that is on.
    depends = dependence(dataclasses.replace(model, channels=12), spec)
    assert not np.triu(depends).any()
    assert depends.any()


SEE_ALL = {
    "arm": ARM(channels=8, kernel_size=3, dilations=(1, 3, 9, 13)),
    "arm_gated": ARM(channels=8, kernel_size=5, dilations=(1, 5, 5, 5), gated=True),
    "gated": PixelCNN(gated=True, channels=12, first_kernel=3, num_blocks=5, output_layers=1),
}


@pytest.mark.parametrize("model", SEE_ALL.values(), ids=SEE_ALL)
@pytest.mark.parametrize("spec", [COLOUR], ids=["colour"])
def test_every_earlier_value_is_seen(model, spec):
    """No blind spot, also across the channels of a pixel."""
    depends = dependence(model, spec)
    np.testing.assert_array_equal(depends, np.tri(spec.num_dims, k=-1, dtype=bool))


MANY_CHANNELS = {
    "arm": ARM(channels=8, kernel_size=5, dilations=(1, 3, 3), gated=True),
    "pixelcnn": PixelCNN(channels=24, first_kernel=3, num_blocks=1, output_layers=1),
    "gated": PixelCNN(gated=True, channels=24, first_kernel=3, num_blocks=2, output_layers=1),
}


@pytest.mark.parametrize("model", MANY_CHANNELS.values(), ids=MANY_CHANNELS)
def test_many_channels_have_an_order_and_probabilities_that_sum_to_one(model):
    """Of 1,024 images of five channels, which 24 features cannot share evenly."""
    spec = DataSpec((1, 2, 5), num_levels=2)
    depends = dependence(model, spec)
    assert not np.triu(depends).any()
    assert depends[4, :4].all()  # the channels before it, in its own pixel
    state, images = trained(model, spec), every_image(spec)
    log_prob = jax.jit(model.log_prob)(state, {"image": images}, rngs_from_seed(0))
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-4)
    assert np.exp(log_prob).std() > 1e-5


def test_plain_pixelcnn_has_the_blind_spot_that_the_paper_names():
    """With 3x3 kernels nothing is seen beyond the diagonal to the upper right."""
    spec = DataSpec((4, 7, 1), num_levels=3)
    depends = dependence(PixelCNN(channels=16, first_kernel=3, num_blocks=4), spec)
    seen = np.zeros((4, 7), bool)
    row, column = 3, 1
    for r, c in itertools.product(range(4), range(7)):
        before = r < row or (r == row and c < column)
        # Each row up reaches one column further right.
        seen[r, c] = before and c - column <= row - r
    np.testing.assert_array_equal(depends[row * 7 + column].reshape(4, 7), seen)


@each_model(FEW, colour=COLOUR, grey=GREY)
def test_all_samplers_draw_the_same_images(model, spec):
    if isinstance(model, PixelCNN) and not model.gated:
        model = dataclasses.replace(model, channels=8)
    state = trained(model, spec)
    samplers = {
        sampler: jax.jit(drawing(model, sampler).sample, static_argnums=2)
        for sampler in ("plain", "cached", "predictive")
    }
    for seed in (0, 1):
        images = {name: s(state, rngs_from_seed(seed), 9) for name, s in samplers.items()}
        chex.assert_shape(images["plain"], (9, *spec.shape))
        chex.assert_type(images["plain"], np.uint8)
        assert 0 <= int(images["plain"].min()) < int(images["plain"].max()) < spec.num_levels
        np.testing.assert_array_equal(images["cached"], images["plain"])
        np.testing.assert_array_equal(images["predictive"], images["plain"])
    assert (images["plain"] != samplers["plain"](state, rngs_from_seed(0), 9)).any()


def drawing(model, sampler):
    """The model, drawing by a sampler."""
    return dataclasses.replace(model, sampling=AutoregressiveSampling(sampler))


@pytest.mark.parametrize("sampler", ["plain", "cached", "predictive"])
@pytest.mark.parametrize("name", [pytest.param("arm", marks=pytest.mark.slow), "gated_labels"])
def test_in_painting_keeps_what_is_known(name, sampler):
    model = drawing(MODELS[name], sampler)
    state, rngs = trained(model, GREY), rngs_from_seed(3)
    inpaint = jax.jit(model.inpaint)
    images = np.random.default_rng(0).integers(0, 4, (9, *GREY.shape)).astype(np.uint8)
    known = np.random.default_rng(1).random((9, 5, 4)) < 0.5
    drawn = inpaint(state, rngs, images, known)
    np.testing.assert_array_equal(drawn[known], images[known])
    assert (drawn[~known] != images[~known]).any()
    # What is not known has no part in it; a mask of values says the same as one of pixels.
    hidden = np.where(known[..., None], images, 0)
    np.testing.assert_array_equal(inpaint(state, rngs, hidden, known[..., None]), drawn)
    # Nothing known is a sample, and everything known is the image.
    np.testing.assert_array_equal(
        inpaint(state, rngs, images, np.zeros_like(known)), model.sample(state, rngs, 9)
    )
    np.testing.assert_array_equal(inpaint(state, rngs, images, np.ones_like(known)), images)


@pytest.mark.parametrize("name", ["arm_gated", "pixelcnn", "gated_labels"])
def test_frequencies_of_samples_are_the_probabilities(name):
    """Chi-square over all 16 images, and over those that begin with what is known."""
    model, num, label = MODELS[name], 4000, 2
    state, images = trained(model, SQUARE, seed=1), every_image(SQUARE)
    condition = np.full(num, label) if model.conditional else None
    rngs = rngs_from_seed(0)
    probability = np.exp(model.log_prob(state, batch_of(model, images, label), rngs)).astype(float)

    def p_value(drawn, probability):
        index = np.asarray(drawn).reshape(num, 4) @ [8, 4, 2, 1]
        counts = np.bincount(index, minlength=16)
        possible = probability > 0
        assert counts[~possible].sum() == 0
        expected = num * probability[possible] / probability.sum()
        return stats.chisquare(counts[possible], expected).pvalue

    drawn = jax.jit(model.sample, static_argnums=2)(state, rngs, num, condition)
    assert p_value(drawn, probability) > 1e-3
    # The first value known to be 1: in raster order this is exact conditioning.
    known = np.zeros((num, 2, 2), bool)
    known[:, 0, 0] = True
    given = np.ones((num, 2, 2, 1), np.uint8)
    completed = jax.jit(model.inpaint)(state, rngs, given, known, condition)
    assert p_value(completed, probability * (images[:, 0, 0, 0] == 1)) > 1e-3


@pytest.mark.parametrize("name", ["arm_labels", "gated_labels", "pixelcnn_labels"])
def test_labels_matter_and_take_turns(name):
    model = MODELS[name]
    state, rngs = trained(model, SQUARE), rngs_from_seed(0)
    images = every_image(SQUARE)
    one, two = (model.log_prob(state, batch_of(model, images, label), rngs) for label in (0, 1))
    assert np.abs(one - two).max() > 1e-2
    turns = model.sample(state, rngs, 7)
    np.testing.assert_array_equal(model.sample(state, rngs, 7, np.arange(7) % 3), turns)
    with pytest.raises(UserError, match=r'give a batch with "label"'):
        model.log_prob(state, {"image": images}, rngs)
    with pytest.raises(
        ConfigError, match=r"a conditional .* needs labels, and these data have none"
    ):
        model.init(rngs, dataclasses.replace(SQUARE, num_classes=None))


def run_of(model, spec, tmp_path):
    experiment = Experiment(data=Data(), model=model)
    return Run(tmp_path, experiment, model.init(rngs_from_seed(0), spec), DataMesh(1))


@pytest.mark.parametrize("name", ["arm", "gated"])
def test_bad_input_gets_one_line(name, tmp_path):
    run = run_of(MODELS[name], SQUARE, tmp_path)
    images, known = np.zeros((2, 2, 2, 1), np.uint8), np.zeros((2, 2, 2), bool)
    cases = {
        r"trained without labels: leave out the condition": [
            lambda: run.sample(2, condition=1),
            lambda: run.inpaint(images, known, condition=1),
        ],
        r"images must hold levels 0 to 1, not 2": [
            lambda: run.log_prob(images + np.uint8(2)),
            lambda: run.inpaint(images + np.uint8(2), known),
        ],
        r"known must be bool \[2, 2, 2\], with a last axis of 1 or without, not bool \[2, 2\]": [
            lambda: run.inpaint(images, known[0])
        ],
        r"not uint8 \[2, 2, 2\]": [lambda: run.inpaint(images, known.astype(np.uint8))],
        r"sampler must be one of": [
            lambda: run.sample(2, sampler="ancestral"),
            lambda: run.inpaint(images, known, sampler="ddim"),
        ],
    }
    for message, calls in cases.items():
        for call in calls:
            with pytest.raises(UserError, match=message) as error:
                call()
            assert "\n" not in str(error.value)


def test_run_inpaints_the_same_with_every_sampler(tmp_path):
    run = run_of(MODELS["gated"], GREY, tmp_path)
    images = np.full((3, *GREY.shape), 3, np.uint8)
    known = np.zeros((3, 5, 4), bool)
    known[:, :2] = True
    drawn = run.inpaint(images, known, seed=1)
    chex.assert_shape(drawn, images.shape)
    np.testing.assert_array_equal(drawn[:, :2], images[:, :2])
    np.testing.assert_array_equal(run.inpaint(images, known, 1, sampler="plain"), drawn)
    assert (run.inpaint(images, known, seed=2) != drawn).any()


@pytest.mark.parametrize(
    ("name", "count"), [("mnist12/arm_cnn1d", 2_930_192), ("mnist12/arm_pixelcnn", 318_224)]
)
def test_reference_recipes_have_their_parameters(name, count):
    """2.93M: 512 + 4 * 721,152 + 45,072. 318k: 15,616 + 5 * 53,504 + 2 * 16,512 + 2,064."""
    model, spec = gm_jax.load(name).model, DataSpec((12, 12, 1), num_levels=16)
    params = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec).params)
    assert parameter_overview.count_parameters(params) == count


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ARM(dilations=()), "ARM.dilations needs one entry at least"),
        (lambda: ARM(dilations=(1, 0)), "ARM.dilations must be greater than 0"),
        (
            lambda: AutoregressiveSampling("fast"),
            "sampler must be one of .*'predictive'",
        ),
        (lambda: PixelCNN(first_kernel=4), "PixelCNN.first_kernel must be odd, not 4"),
        (lambda: PixelCNN(kernel_size=2), "PixelCNN.kernel_size must be odd"),
        (lambda: PixelCNN(num_blocks=0), "PixelCNN.num_blocks must be greater than 0"),
        (lambda: PixelCNN(dilations=()), "PixelCNN.dilations needs one entry"),
        (
            lambda: PixelCNN(channels=4).init(rngs_from_seed(0), COLOUR),
            "PixelCNN.channels must be at least 6 for 3 channels of the image, not 4",
        ),
    ],
)
def test_impossible_configs_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_capabilities():
    for model in (MODELS["arm"], MODELS["gated"]):
        for capability in (Family, Samples, HasLogProb, Inpaints):
            assert isinstance(model, capability)


@pytest.mark.parametrize("name", ["arm", pytest.param("gated", marks=pytest.mark.slow)])
def test_training_learns_a_rule_over_the_values_before(name):
    """The last value makes the sum even: 3 bits in 4 values."""
    images = np.array(
        [[[a, b], [c, a ^ b ^ c]] for a, b, c in itertools.product((0, 1), repeat=3)], np.uint8
    )[..., None]
    model = dataclasses.replace(MODELS[name], channels=16)
    optimizer = dataclasses.replace(model.optimizer, learning_rate=1e-2)
    model = dataclasses.replace(model, optimizer=optimizer)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SQUARE)
    update = jax.jit(model.update)
    batch = {"image": images}
    for step in range(300):
        state, metrics = update(state, batch, rngs_from_seed(0).at("train", step))
    assert 3 / 4 - 1e-4 < float(metrics["bits_per_dim"]) < 3 / 4 + 0.02
    drawn = np.asarray(model.sample(state, rngs_from_seed(1), 50))
    assert (drawn.sum((1, 2, 3)) % 2 == 0).mean() > 0.9


def in_full_precision(lowered):
    """Whether every product of matrices and every convolution of a program is in float32."""
    lines = lowered.as_text().splitlines()
    products = [line for line in lines if "dot_general" in line or "stablehlo.convolution" in line]
    assert products
    return all(line.count("HIGHEST") == 2 for line in products)


@pytest.mark.parametrize("name", ["arm_gated_labels", "pixelcnn"])
def test_exact_figures_and_samples_do_not_round_to_tf32(name):
    model = MODELS[name]
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SQUARE)
    batch = batch_of(model, every_image(SQUARE))
    index = {**batch, "index": np.arange(16, dtype=np.int32)}
    key = jax.random.key(0)
    evaluator = Evaluator(model, (), 16)
    assert in_full_precision(evaluator._evaluate.lower(state, index, key))
    assert in_full_precision(evaluator._log_prob.lower(state, index, key, 1))
    rngs = rngs_from_seed(0)
    assert in_full_precision(compiled(model, "log_prob").lower(state, batch, rngs, 1))
    for sampler in ("plain", "predictive", "cached"):
        method = compiled(drawing(model, sampler), "sample")
        assert in_full_precision(method.lower(state, rngs, 3, None))
    # A step of training is as fast as the hardware will have it.
    assert not in_full_precision(jax.jit(model.update).lower(state, batch, rngs))
