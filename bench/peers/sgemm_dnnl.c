/* Gives PyTorch oneDNN's matrix product, the fastest on many machines: forwards the Fortran
   sgemm_ that PyTorch calls. Built and preloaded by run.sh. */
#include <dnnl.h>

void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k,
            const float* alpha, const float* a, const int* lda, const float* b,
            const int* ldb, const float* beta, float* c, const int* ldc) {
  /* Column-major C = A B is row-major C' = B' A'. */
  dnnl_sgemm(*tb, *ta, *n, *m, *k, *alpha, b, *ldb, a, *lda, *beta, c, *ldc);
}
