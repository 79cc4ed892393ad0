//! What models see in pictures: captions, tags, faces, masks, likeness. It knows nothing of data sets and concepts.
