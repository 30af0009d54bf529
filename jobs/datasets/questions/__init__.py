"""Sets of questions on documents, with their answers: read, checked and kept."""
