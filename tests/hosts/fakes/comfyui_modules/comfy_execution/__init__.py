"""As in ComfyUI: how graphs run."""
