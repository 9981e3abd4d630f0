#!/usr/bin/env bash
# glibc: perror() leaves errno changed to EINVAL, once in the life of a process, where stderr may only be written to.
#
# Expected by a careful guess: a function that reports errno leaves it as it is, or changes it if it cannot write.
# Seen (glibc 2.36): the first perror() succeeds in writing and leaves EINVAL, where stderr is a pipe or a file that was opened
# for writing only, as it is below every service manager; from the second call on errno stays. On a terminal, which is open for
# both, it never happens, so nobody sees it while developing. (To keep the orientation of the stream it opens a copy of the
# descriptor for reading too, which fails.)
# Who looks at errno after perror() takes another way once: memcached 1.6 reports an empty accept queue by perror(), compares errno
# with EAGAIN after that, and so tells of `accept(): Invalid argument` once in each process, though nothing is wrong.
# Needs a C compiler. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v cc >/dev/null || { echo "needs cc"; exit 77; }
version=$(getconf GNU_LIBC_VERSION 2>/dev/null) || { echo "needs glibc"; exit 77; }
echo "$version"
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cat >"$folder/twice.c" <<'C'
#include <errno.h>
#include <stdio.h>
int main(void) {
    errno = EAGAIN; perror("first"); int first = errno;
    errno = EAGAIN; perror("second"); int second = errno;
    printf("%s %s", first == EAGAIN ? "kept" : first == EINVAL ? "EINVAL" : "other", second == EAGAIN ? "kept" : "changed");
    return 0;
}
C
cc -o "$folder/twice" "$folder/twice.c" || { echo "cannot compile"; exit 77; }
for_writing=$("$folder/twice" 2>"$folder/log")
for_both=$("$folder/twice" 2<>"$folder/log")
echo "errno after the first and the second perror(): stderr for writing only: $for_writing; for both: $for_both"
[ "$for_writing" = "EINVAL kept" ] && [ "$for_both" = "kept kept" ]
