"""What forecasts: the simplest methods, ridge regression, and a network that begins from it."""
