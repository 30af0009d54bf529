"""Vision Transformers as Hugging Face folders: read into a network, and written from one."""
