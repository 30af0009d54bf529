"""The networks that a GAN of images consists of, and what each architecture takes by default."""
