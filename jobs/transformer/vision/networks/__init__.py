"""Networks that tell images of different classes apart, and how each is described in its file."""
