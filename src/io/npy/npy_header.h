/* npy_header.h - reads the header of a .npy file: type, order and shape of the array. */
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

/* Reads the header and checks it. Its shape and type must make the file's size. */
AttendStatus npy_read_header(const OpenFile *file, NpyHeader *header, Fault *fault);

#endif
