//! All kernels, as one unit of translation.

#include "attention.cu"
#include "product.cu"
#include "product_exact.cu"
#include "product_outer.cu"

#include "activation.cu"
#include "arrange.cu"
#include "dora.cu"
#include "embedding.cu"
#include "loss.cu"
#include "norm.cu"
#include "optimizer.cu"
