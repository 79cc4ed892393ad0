//! Captions that teach the concept and nothing else: words only, no pictures and no models.
