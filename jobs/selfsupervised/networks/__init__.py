"""Networks, patches and augmentations that the methods are built from."""
