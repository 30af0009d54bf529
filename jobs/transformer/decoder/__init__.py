"""Decoders (GPT, Llama and their kin): one forward pass for training, for prompts and for the next token."""
