"""Public sets that are downloaded and prepared without TensorFlow, as TFDS would prepare them."""
