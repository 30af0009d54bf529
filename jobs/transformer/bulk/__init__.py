"""Inference over inputs without end: windows, shards of the result, engines. For every application."""
