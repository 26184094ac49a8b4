"""The TFDS builder of a folder of images."""
