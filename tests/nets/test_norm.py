"""Group norm's number of groups."""

import pytest

from gm_jax.nets.norm import group_norm


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (6, 1), (18, 2), (50, 2), (64, 16), (100, 1), (512, 32)]
)
def test_groups_are_equal_and_have_4_channels_at_least(channels, groups):
    assert group_norm(channels).num_groups == groups
    assert channels % groups == 0
    assert groups == 1 or channels // groups >= 4
