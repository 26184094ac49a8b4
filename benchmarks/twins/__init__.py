"""PyTorch twins of ten experiments, and both measured in turns on one machine.

    .venv/bin/python -m benchmarks.twins.run --torch-python PYTHON_WITH_TORCH
    .venv/bin/python -m benchmarks.twins.page

PyTorch lives in an interpreter of its own: `torch_side` and `systems` need torch and numpy only.
"""
