/* copy_checkpoint.c - writes a llama2.c checkpoint out as a Hugging Face directory, for shell
 * tests.
 *
 *   copy_checkpoint CHECKPOINT DIRECTORY
 */
#include <stdio.h>

#include "tests/toy/huggingface_copy.h"

int main(int argc, char **argv) {
  if (argc == 3 && copy_to_huggingface(argv[1], NULL, argv[2])) return 0;
  fprintf(stderr, "usage: copy_checkpoint CHECKPOINT DIRECTORY\n");
  return 1;
}
