"""The Concepts tab and concepts by name in prompts, for AUTOMATIC1111's web UI and Forge.

`scripts/concepts.py` ties this to the web UI. Only `webui` knows the web UI's own modules.
"""
