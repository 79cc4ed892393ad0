//! Model files: found where hosts keep them, fetched from a hub, verified before they count.
