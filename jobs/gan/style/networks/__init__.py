"""The generator, the discriminator, and what they are built of."""
