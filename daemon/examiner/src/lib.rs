//! What is wrong with a set of pictures, and where its subjects are: report, masks, crops.
