/* profile KIND -- COMMAND: runs the command under a seccomp filter. `container`: as Docker's default profile without added capabilities,
 * clone3 says ENOSYS, bpf and pidfd_getfd say EPERM. `old`: as a kernel that does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SAYS(number, error) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error)
#define ALLOWED BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(int count, char **words) {
    struct sock_filter container[] = {
        LOAD(nr), SAYS(SYS_clone3, ENOSYS), SAYS(SYS_bpf, EPERM), SAYS(SYS_pidfd_getfd, EPERM), ALLOWED,
    };
    struct sock_filter old[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 3),
        LOAD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1 << 5, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        ALLOWED,
    };
    if (count < 4) return 2;
    struct sock_fprog program = {sizeof container / sizeof *container, container};
    if (!strcmp(words[1], "old")) program = (struct sock_fprog){sizeof old / sizeof *old, old};
    /* Without no_new_privs where that is allowed, as a container runtime does. */
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
            perror("seccomp");
            return 1;
        }
    }
    execvp(words[3], words + 3);
    perror(words[3]);
    return 1;
}
