/* The threads of this process, as the kernel lists them. */
#ifndef TASKS_H
#define TASKS_H

#include <stddef.h>
#include <stdint.h>

struct task {
  char name[32];
  uint64_t blocked; /* bit n - 1 is signal n */
};

/* Fills up to `room` entries of `list` and returns their number. */
size_t tasks(struct task *list, size_t room);

/* The number of threads whose name begins with this text. */
size_t tasks_named(const char *beginning);

/* Waits until no thread has a name that begins with this text. */
void tasks_wait_for_end_of(const char *beginning);

#endif
