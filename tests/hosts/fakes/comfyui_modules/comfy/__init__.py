"""As in ComfyUI: its engine."""
