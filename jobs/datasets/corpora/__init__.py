"""Text corpora: running text of any size, cut into documents, to pretrain on."""
