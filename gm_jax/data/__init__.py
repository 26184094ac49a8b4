"""Sources of data, transforms, and `batch_at(step)`; knows nothing of models."""
