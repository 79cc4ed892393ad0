"""The lock of everything that uses the model."""

import threading

queue_lock = threading.Lock()
