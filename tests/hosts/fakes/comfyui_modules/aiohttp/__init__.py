"""As in aiohttp, as far as routes need it."""
