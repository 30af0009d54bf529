"""The proof that a job which was killed ends with the same bits as one that was not."""
