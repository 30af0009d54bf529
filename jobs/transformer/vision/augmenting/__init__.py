"""Random changes of images in training, each a function of the seed and the step alone."""
