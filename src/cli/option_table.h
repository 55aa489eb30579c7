/* option_table.h - the options of a command, as one table.
 *
 * A row says all of an option: its name, how its value is read and where it is stored, its default,
 * its line of help, and what it does not go with. The parser (command_line.c), the help, the man
 * page and the completions (option_pages.c) are made from the rows. A new option is one row.
 *
 * A table is an array of rows that ends with {0}. A command's file names the struct that its rows
 * fill, before the table:
 *
 *   #define OPTIONS InfoOptions
 *   static const Option options[] = {
 *       {HEADING("How")},
 *       {"threads", "T", SIZE(threads, 1, 1024), .derived = "OpenMP's number",
 *        .help = "threads to measure with"},
 *       {"json", NULL, FLAG(json), .help = "print JSON"},
 *       {GROUP(common, common_options)},
 *       {0},
 *   };
 *
 * The kinds below check that the member has the type that the reader writes.
 */
#ifndef ATTEND_SRC_CLI_OPTION_TABLE_H
#define ATTEND_SRC_CLI_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "attend/attend.h"

typedef struct Option Option;

/* Reads `text` into the member at `field`. EXIT_SUCCESS; or EXIT_USAGE or EXIT_FAILURE with the
 * sentence printed and the member as it was. A flag's text is null. */
typedef int OptionReader(const Option *option, const char *text, void *field);

/* Words that an option takes, numbered from 0. */
typedef struct Choices {
  const char *noun;                /* of one of them: "path" */
  const char *(*name)(int value);  /* null for a number that is not on offer */
  const char *(*about)(int value); /* a line on each, for the help; null: names suffice */
  int count;
} Choices;

typedef enum OptionRuleKind {
  NO_RULE,
  NOT_WITH,  /* excludes each of the others */
  NEEDS,     /* goes only with at least one of the others */
  ONLY_WITH, /* excludes every option but the others */
} OptionRuleKind;

/* Holds if the row's option is given. The sentence that a user sees names both options and ends
 * with ": why." */
typedef struct OptionRule {
  OptionRuleKind kind;
  const char *others; /* long names, separated by one space */
  const char *why;
} OptionRule;

enum { OPTION_RULES = 3 };

struct Option {
  const char *name;       /* without the dashes; null in a heading, a group and the end */
  const char *argument;   /* of its value, as the help calls it; null: it takes none */
  OptionReader *read;     /* with the next three by one of the kinds below */
  size_t offset;          /* of the member in the struct that is filled */
  size_t least, most;     /* of a number */
  const Choices *choices; /* that the reader takes, or that a completion suggests */
  size_t items;           /* of a list at most; 0: OPTION_LIST_MAX */
  const char *initial;    /* the default, read before the arguments and printed; null: zeros */
  const char *derived;    /* in place of it: the default in words, where the command works it out */
  const char *help;       /* a line without a full stop; choices and the default are appended */
  OptionRule rules[OPTION_RULES];
  const char *heading; /* a line over the rows that follow, in place of an option */
  const Option *group; /* rows that several commands share, in place of an option */
  bool hidden;         /* accepted, and found nowhere */
};

/* Most items that a list on the command line may have. */
#define OPTION_LIST_MAX 64

typedef struct SizeList {
  size_t count;
  size_t items[OPTION_LIST_MAX];
} SizeList;

typedef struct ChoiceList {
  size_t count;
  int items[OPTION_LIST_MAX];
} ChoiceList;

typedef struct ModelList {
  size_t count;
  AttendModel items[OPTION_LIST_MAX];
} ModelList;

/* Readers (option_values.c). Sizes are whole decimal numbers in [least, most]; bytes may end in
 * KiB, MiB or GiB; seconds are finite and in (0, 86400]. Lists are separated by commas and replace
 * what was given before; models are appended. */
OptionReader read_flag;    /* bool */
OptionReader read_text;    /* const char *, any */
OptionReader read_name;    /* const char *, not empty */
OptionReader read_size;    /* size_t */
OptionReader read_bytes;   /* size_t */
OptionReader read_sizes;   /* SizeList */
OptionReader read_seconds; /* double */
OptionReader read_choice;  /* an enum */
OptionReader read_choices; /* ChoiceList, each once */
OptionReader read_model;   /* const AttendModel *, once */
OptionReader read_models;  /* ModelList */

#define OPTION_MEMBER(member, type)                                                                \
  (offsetof(OPTIONS, member) + 0 * sizeof(0 ? &((OPTIONS *)0)->member : (type *)0))
#define OPTION_ENUM(member)                                                                        \
  (offsetof(OPTIONS, member) +                                                                     \
   0 * sizeof(char[sizeof(((OPTIONS *)0)->member) == sizeof(int) ? 1 : -1]))

#define FLAG(member) .read = read_flag, .offset = OPTION_MEMBER(member, bool)
#define TEXT(member) .read = read_text, .offset = OPTION_MEMBER(member, const char *)
#define NAME(member) .read = read_name, .offset = OPTION_MEMBER(member, const char *)
#define SIZE(member, from, to)                                                                     \
  .read = read_size, .offset = OPTION_MEMBER(member, size_t), .least = from, .most = to
#define BYTES(member) .read = read_bytes, .offset = OPTION_MEMBER(member, size_t)
#define SIZES(member, from, to)                                                                    \
  .read = read_sizes, .offset = OPTION_MEMBER(member, SizeList), .least = from, .most = to
#define SECONDS(member) .read = read_seconds, .offset = OPTION_MEMBER(member, double)
#define CHOICE(member, of) .read = read_choice, .offset = OPTION_ENUM(member), .choices = &of
#define CHOICES(member, of)                                                                        \
  .read = read_choices, .offset = OPTION_MEMBER(member, ChoiceList), .choices = &of
#define MODEL(member)                                                                              \
  .read = read_model, .offset = OPTION_MEMBER(member, const AttendModel *),                        \
  .choices = &model_choices
#define MODELS(member)                                                                             \
  .read = read_models, .offset = OPTION_MEMBER(member, ModelList), .choices = &model_choices
/* Any other type, by a reader of the command's own. */
#define READ(member, type, reader) .read = reader, .offset = OPTION_MEMBER(member, type)

#define HEADING(text) .heading = text
#define GROUP(member, table) .group = table, .offset = offsetof(OPTIONS, member)

/* Rows of a table that fills the same struct. */
#define ROWS(table) .group = table

/* Choices by the library's names: of paths without and with "auto", and so on. */
extern const Choices path_choices, any_path_choices, isa_choices, precision_choices,
    storage_choices, model_choices;

/* Writes the names as "a, b or c". */
void choices_list(const Choices *choices, const char *last_separator, char *text, size_t size);

/* The value of that name; -1: none has it. */
int choices_find(const Choices *choices, const char *name);

/* The rows of a table with those of its groups in their places. */
enum { OPTION_ROWS_MAX = 80 };

typedef struct OptionRow {
  const Option *option; /* an option or a heading */
  size_t offset;        /* of the member, or 0 */
  bool shared;          /* of a group */
} OptionRow;

typedef struct OptionRows {
  size_t count;
  OptionRow rows[OPTION_ROWS_MAX];
} OptionRows;

void option_rows(const Option *table, OptionRows *rows);

/* The number of the option in the rows; rows->count: it is not there. */
size_t option_find(const OptionRows *rows, const char *name);

/* Takes the first of some names that are separated by spaces from *names. False: none is left. */
bool option_next_name(const char **names, char name[ATTEND_NAME_SIZE]);

/* Whether this processor and build can run the ISA; AUTO always. If not, it prints why. */
bool isa_is_usable(AttendIsa isa);

/* For every command that OpenBLAS has a part in. */
typedef struct CommonOptions {
  const char *blas_core; /* null: not given */
  bool no_restart;
} CommonOptions;

extern const Option common_options[];

/* Largest values on the command line: far beyond any use, and far from overflow. */
#define DIMENSION_MAX ((size_t)1 << 20)
#define TOKENS_MAX ((size_t)1 << 24)
#define BATCH_MAX ((size_t)1 << 16)
#define THREADS_MAX 1024

#endif
