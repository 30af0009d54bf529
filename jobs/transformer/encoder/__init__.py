"""The lean forward pass of an encoder, with its update, over the variables of KerasHub's."""
