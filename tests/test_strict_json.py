import json
import math

import pytest

from gm_jax.strict_json import finite, to_json


def no_constants(name):
    raise AssertionError(f"{name} is no JSON")


def test_what_is_not_finite_becomes_null():
    value = {"a": [1.5, math.nan, (math.inf, 2)], "b": {"c": -math.inf}, "d": "NaN", "e": True}
    expected = {"a": [1.5, None, [None, 2]], "b": {"c": None}, "d": "NaN", "e": True}
    assert finite(value) == expected
    for indent in (None, 1):
        assert json.loads(to_json(value, indent), parse_constant=no_constants) == expected


def test_what_json_has_no_word_for_is_an_error():
    with pytest.raises(TypeError, match="set"):
        to_json({"a": {1, 2}})
