"""How far made images are from real ones. For every application that makes images."""
