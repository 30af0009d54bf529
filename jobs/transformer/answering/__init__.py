"""Question answering: the words of a document that answer a question."""
