"""Decoders (GPT, Llama and their kin): one forward pass for training, for prompts and for one token after it."""
