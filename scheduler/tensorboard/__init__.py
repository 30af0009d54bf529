"""Jobs as event files, for TensorBoard: scalars, pictures, specs, hyperparameters, embeddings."""
