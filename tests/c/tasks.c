#include "tasks.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads name and blocked signals from /proc/self/task/TID/status. Returns whether the thread still existed. */
static int status(const char *id, struct task *task) {
  char path[64];
  char line[256];
  int found = 0;
  FILE *file;
  snprintf(path, sizeof path, "/proc/self/task/%.16s/status", id);
  file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "Name: %31[^\n]", task->name) == 1) found |= 1;
    if (sscanf(line, "SigBlk: %" SCNx64, &task->blocked) == 1) found |= 2;
  }
  fclose(file);
  return found == 3;
}

size_t tasks(struct task *list, size_t room) {
  DIR *directory = opendir("/proc/self/task");
  struct dirent *entry;
  size_t count = 0;
  if (!directory) {
    perror("/proc/self/task");
    exit(2);
  }
  while (count < room && (entry = readdir(directory)) != NULL)
    if (entry->d_name[0] != '.' && status(entry->d_name, &list[count])) count++;
  closedir(directory);
  return count;
}

size_t tasks_named(const char *beginning) {
  struct task list[64];
  size_t count = tasks(list, sizeof list / sizeof *list);
  size_t named = 0;
  size_t i;
  for (i = 0; i < count; i++) named += strncmp(list[i].name, beginning, strlen(beginning)) == 0;
  return named;
}

void tasks_wait_for_end_of(const char *beginning) {
  while (tasks_named(beginning) > 0) sched_yield();
}
