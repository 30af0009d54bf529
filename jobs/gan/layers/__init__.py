"""Layers and losses that every GAN may use."""
