/* npy_header.h - what the first bytes of a .npy file say. */
#ifndef ATTEND_SRC_IO_NPY_NPY_HEADER_H
#define ATTEND_SRC_IO_NPY_NPY_HEADER_H

#include "io/file.h"

typedef struct NpyHeader {
  NumberKind kind;
  const char *dtype; /* its name in the file */
  bool fortran_order;
  size_t rank;
  size_t dims[ATTEND_ARRAY_RANK];
  size_t count;  /* numbers: the product of dims */
  size_t offset; /* byte of the first one */
} NpyHeader;

/* Reads and checks it, against the file's size too. */
AttendStatus npy_read_header(const OpenFile *file, NpyHeader *header, Fault *fault);

#endif
