"""Documents and questions as rows of tokens, and the spans that are found in them."""
