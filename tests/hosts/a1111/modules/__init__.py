"""Stand-ins for the modules of AUTOMATIC1111's web UI and of Forge that the extension asks, as far as it asks them.

Written from what is known of their interfaces; none of their code is here.
"""
