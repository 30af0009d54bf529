"""The methods that learn from images without labels: a model and its loss each."""
