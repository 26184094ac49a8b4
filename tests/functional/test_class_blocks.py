import chex
import jax
import numpy as np
import pytest

from gm_jax.functional.class_blocks import class_blocks


@pytest.mark.parametrize("size", [1, 4, 7, 30])
@pytest.mark.parametrize("classes", [[0], [0, 1, 2, 3, 4], [2, 4], [4]])
def test_every_example_is_in_one_block_of_its_class(size, classes):
    labels = np.random.default_rng(0).choice(classes, 30).astype(np.int32)
    blocks = jax.jit(class_blocks, static_argnums=(1, 2))(labels, 5, size)
    chex.assert_shape(blocks.indices, (30 // size + 5, size))
    chex.assert_equal_shape([blocks.indices, blocks.mask])
    seen = []
    for label, indices, mask in zip(*map(np.asarray, blocks), strict=True):
        assert 0 <= label < 5
        assert ((indices >= 0) & (indices < 30)).all()
        assert (labels[indices[mask]] == label).all()
        seen.extend(indices[mask])
    assert sorted(seen) == list(range(30))
