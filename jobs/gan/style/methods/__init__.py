"""The losses of style transfer, and the trainings that minimise them."""
