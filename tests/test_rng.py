"""Named streams: stable, distinct, traceable."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.rng import Rngs, numpy_generator, rngs_from_seed, stable_hash


def test_the_hash_is_that_of_sha1_and_never_changes():
    assert stable_hash("abc") == 0xA9993E36  # sha1("abc") = a9993e36 4706816a ...


def test_streams_differ_by_every_name_and_step():
    rngs = rngs_from_seed(0)
    keys = [
        rngs.at(phase, step)(name)
        for phase in ("train", "eval")
        for step in range(3)
        for name in ("a", "b")
    ] + [rngs_from_seed(1).at("train", 0)("a")]
    words = {tuple(np.asarray(jax.random.key_data(k)).tolist()) for k in keys}
    assert len(words) == len(keys)


def test_adding_a_draw_changes_no_other():
    rngs = rngs_from_seed(3).at("train", 5)
    before = jax.random.normal(rngs("z"), (4,))
    rngs("another")
    chex.assert_trees_all_equal(before, jax.random.normal(rngs("z"), (4,)))


def test_steps_may_be_traced():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def draw(rngs: Rngs, step):
        return jax.random.normal(rngs.at("train", step)("z"), (2,))

    chex.clear_trace_counter()
    rngs = rngs_from_seed(0)
    for step in range(3):
        expected = jax.random.normal(rngs.at("train", step)("z"), (2,))
        chex.assert_trees_all_equal(draw(rngs, jnp.int32(step)), expected)


def test_numpys_draws_never_change():
    """Sets that are made on the host are functions of the seed, the split and the draw."""
    drawn = numpy_generator(3, "train", "noise").integers(0, 1000, 4)
    seed = [3, stable_hash("train"), stable_hash("noise")]
    np.testing.assert_array_equal(drawn, np.random.default_rng(seed).integers(0, 1000, 4))
    np.testing.assert_array_equal(drawn, [27, 756, 737, 775])
    others = [(4, "train", "noise"), (3, "test", "noise"), (3, "train", "modes"), (3, "train")]
    for names in others:
        assert (numpy_generator(*names).integers(0, 1000, 4) != drawn).any()
