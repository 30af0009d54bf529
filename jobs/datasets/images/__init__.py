"""Sets of images: the named ones, and a person's own folder or .npz, read into one file."""
