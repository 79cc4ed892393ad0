"""Where A1111 keeps embeddings."""

from types import SimpleNamespace

model_hijack = SimpleNamespace(embedding_db=None)
