"""The files of a checkpoint in Hugging Face's format."""

#: Files of a checkpoint that every reader needs, then all that tokenizers consist of.
CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
TOKENIZER_FILES = (
    TOKENIZER,
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
)
#: Of a checkpoint for images: how their pixels are scaled.
PREPROCESSOR = "preprocessor_config.json"
#: What goes along with a model that generates texts: how its makers want it to be sampled, and its chats.
GENERATION_CONFIG, CHAT_TEMPLATE = "generation_config.json", "chat_template.jinja"
FILES = (CONFIG, WEIGHTS, *TOKENIZER_FILES, GENERATION_CONFIG, CHAT_TEMPLATE, PREPROCESSOR)
