/* Servers that the library cannot serve, or only just, each in its own way: `barred WHAT`. They wait in epoll and answer
 * each connection with a line.
 *   filter CALL..  forbids itself these system calls after listen(), by name, with EPERM
 *   direct         accepts by syscall()
 *   spin           the same, without waiting for anything */
#include "listener.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static long number(const char *name) {
    static const struct { const char *name; long number; } known[] = {
        {"recvmsg", SYS_recvmsg}, {"recvfrom", SYS_recvfrom}, {"sendto", SYS_sendto}, {"sendmsg", SYS_sendmsg},
        {"fcntl", SYS_fcntl}, {"getsockname", SYS_getsockname}, {"getsockopt", SYS_getsockopt},
        {"prlimit64", SYS_prlimit64}, {"ppoll", SYS_ppoll}, {"socket", SYS_socket}, {"connect", SYS_connect},
        {"openat", SYS_openat}, {"mmap", SYS_mmap}, {"clock_gettime", SYS_clock_gettime},
        {"sched_yield", SYS_sched_yield}, {"getpid", SYS_getpid}, {"gettid", SYS_gettid},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].number;
    fprintf(stderr, "no such call: %s\n", name);
    exit(2);
}

static void forbid(int count, char **names) {
    struct sock_filter filter[64];
    unsigned short length = 0;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count; i++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(names[i]), 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) die("seccomp");
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int direct = !strcmp(argv[1], "direct"), spin = !strcmp(argv[1], "spin");
    setup();
    start_listening(SOCK_NONBLOCK);
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN}, seen;
    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, listener, &wanted)) die("epoll");
    if (!strcmp(argv[1], "filter")) forbid(argc - 2, argv + 2);
    for (;;) {
        if (!spin && epoll_wait(set, &seen, 1, -1) < 1) continue;
        int fd = direct || spin ? (int)syscall(SYS_accept4, listener, NULL, NULL, 0) : accept4(listener, NULL, NULL, 0);
        if (fd < 0) continue;
        if (write(fd, "served\n", 7) < 0) perror("write");
        close(fd);
    }
}
