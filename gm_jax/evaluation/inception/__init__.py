"""Features of images by FID's Inception-v3: its weights from a file, its resizings."""
