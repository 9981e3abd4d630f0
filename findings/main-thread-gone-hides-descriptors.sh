#!/usr/bin/env bash
# Linux: once the first thread of a process has ended, /proc/PID/fd (and /proc/self/fd) is empty, though other threads serve.
#
# Expected by a careful guess: /proc/PID/fd is the process's table, whichever thread still lives; or reading it fails.
# Seen (Linux 6.18): it is the table of the thread with that number. After pthread_exit() in main() that thread is a zombie
# and the directory reads as empty, without an error; /proc/PID/task/TID/fd and /proc/thread-self/fd show everything.
# Needs gcc. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v gcc >/dev/null || { echo "needs gcc"; exit 77; }
echo "Linux $(uname -r)"
d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT
cat >"$d/t.c" <<'C'
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int count(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return -1;
    int found = 0;
    for (struct dirent *entry; (entry = readdir(dir));) found += entry->d_name[0] != '.';
    closedir(dir);
    return found;
}
static void *serve(void *unused) {
    char line[256] = "", path[64], state = 0;
    /* The first thread has ended once its state is Z. */
    while (state != 'Z') {
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
        FILE *file = fopen(path, "r");
        if (!file) break;
        if (fgets(line, sizeof line, file)) state = strrchr(line, ')')[2];
        fclose(file);
    }
    int self = count("/proc/self/fd"), thread = count("/proc/thread-self/fd");
    printf("/proc/self/fd lists %d, /proc/thread-self/fd lists %d\n", self, thread);
    fflush(stdout);
    _exit(self == 0 && thread >= 3 ? 0 : 1);
}
int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, NULL)) return 2;
    pthread_exit(NULL);
}
C
gcc -O1 -w -pthread -o "$d/t" "$d/t.c" || exit 77
timeout 20 "$d/t"
