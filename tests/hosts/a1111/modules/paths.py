"""Folders; set at the start."""

data_path = ""
models_path = ""
