/* The traps of reading and writing: a listener that is read from, and reads where an interposer may be in the way. */
#ifndef TRAPS_DATA_H
#define TRAPS_DATA_H
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static volatile sig_atomic_t pipes;

static void on_pipe(int number) {
    (void)number;
    pipes++;
}

/* What a call that reads or writes gives, and whether SIGPIPE came with it. */
#define TELL(call) tell_data(#call, (pipes = 0, call))

static void tell_data(const char *call, long result) {
    int error = errno;
    say("%s: %ld, errno %d, signals %d\n", call, result, result < 0 ? error : 0, pipes);
}

static void read_in_all_ways(int fd) {
    char bytes[100];
    struct iovec part = {bytes, sizeof bytes}, nothing = {bytes, 0};
    struct sockaddr_storage from;
    socklen_t room = sizeof from;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr several = {.msg_hdr = message};
    void *volatile nowhere = (void *)16;
    int ends[2];
    if (pipe(ends)) say("pipe: errno %d\n", errno);
    TELL(read(fd, bytes, sizeof bytes));
    TELL(read(fd, bytes, 0));
    TELL(read(fd, nowhere, 8));
    TELL(readv(fd, &part, 1));
    TELL(readv(fd, &nothing, 1));
    TELL(readv(fd, nowhere, 1));
    TELL(preadv2(fd, &part, 1, -1, 0));
    TELL(preadv2(fd, &part, 1, 0, 0));
    TELL(pread(fd, bytes, 8, 0));
    TELL(recv(fd, bytes, sizeof bytes, 0));
    TELL(recv(fd, bytes, 0, 0));
    TELL(recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT));
    TELL(recv(fd, bytes, sizeof bytes, MSG_OOB));
    TELL(recv(fd, bytes, sizeof bytes, MSG_ERRQUEUE));
    TELL(recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &room));
    TELL(recvmsg(fd, &message, 0));
    TELL(recvmsg(fd, nowhere, 0));
    TELL(recvmmsg(fd, &several, 1, 0, NULL));
    TELL(splice(fd, NULL, ends[1], NULL, 100, 0));
    TELL(sendfile(ends[1], fd, NULL, 100));
    close(ends[0]);
    close(ends[1]);
}

static void write_in_all_ways(int fd) {
    char bytes[100] = {0};
    struct iovec part = {bytes, sizeof bytes}, nothing = {bytes, 0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct msghdr named = {&own_address, own_length, &part, 1, NULL, 0, 0};
    struct mmsghdr several = {.msg_hdr = message};
    struct sockaddr *to = (struct sockaddr *)&own_address;
    void *volatile nowhere = (void *)16;
    int ends[2], file = open("/proc/self/exe", O_RDONLY);
    if (pipe(ends)) say("pipe: errno %d\n", errno);
    TELL(write(ends[1], "x", 1));
    TELL(write(fd, "GET", 3));
    TELL(write(fd, "GET", 0));
    TELL(writev(fd, &part, 1));
    TELL(writev(fd, &nothing, 1));
    TELL(pwritev2(fd, &part, 1, -1, 0));
    TELL(pwrite(fd, bytes, 8, 0));
    TELL(send(fd, "GET", 3, 0));
    TELL(send(fd, "GET", 3, MSG_NOSIGNAL));
    TELL(send(fd, "G", 1, MSG_OOB));
    TELL(send(fd, "GET", 3, MSG_FASTOPEN));
    TELL(sendto(fd, "GET", 3, MSG_FASTOPEN, to, own_length));
    TELL(sendto(fd, "GET", 3, 0, to, own_length));
    TELL(sendto(fd, "GET", 3, 0, nowhere, 16));
    TELL(sendmsg(fd, &message, 0));
    TELL(sendmsg(fd, &named, MSG_NOSIGNAL));
    TELL(sendmmsg(fd, &several, 1, 0));
    TELL(splice(ends[0], NULL, fd, NULL, 100, 0));
    TELL(sendfile(fd, file, NULL, 100));
    TELL(read(ends[0], bytes, 8));
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void serve_who_waits(int client) {
    int served = accept(listener, NULL, NULL);
    say("paired %d\n", paired(client, served));
    close(client);
    close(served);
}

/* Nobody gets data from a socket that listens, and who waits there is not lost. */
static void reads_its_listener(void) {
    start_listening(0);
    signal(SIGPIPE, on_pipe);
    say("nobody waits\n");
    read_in_all_ways(listener);
    write_in_all_ways(listener);
    int client = dial();
    struct pollfd polled = {listener, POLLIN, 0};
    tell("somebody waits", poll(&polled, 1, 5000));
    read_in_all_ways(listener);
    write_in_all_ways(listener);
    serve_who_waits(client);
    /* The number is another's now. */
    int ends[2], number = listener;
    char byte = 0;
    if (pipe(ends) || dup2(ends[0], number) != number) say("pipe: errno %d\n", errno);
    tell("write to a pipe", write(ends[1], "x", 1));
    tell("read it", read(number, &byte, 1));
    say("%c\n", byte);
}

/* The same where no descriptor is left. */
static void reads_its_listener_when_descriptors_run_out(void) {
    struct rlimit few, usual;
    char bytes[8];
    start_listening(0);
    signal(SIGPIPE, on_pipe);
    int client = dial();
    tell("limit", getrlimit(RLIMIT_NOFILE, &usual));
    few = usual;
    few.rlim_cur = 1;
    tell("limit", setrlimit(RLIMIT_NOFILE, &few));
    TELL(dup(0));
    TELL(read(listener, bytes, sizeof bytes));
    TELL(recv(listener, bytes, sizeof bytes, 0));
    TELL(write(listener, "GET", 3));
    TELL(send(listener, "GET", 3, MSG_NOSIGNAL));
    TELL(send(listener, "GET", 3, MSG_FASTOPEN));
    tell("limit", setrlimit(RLIMIT_NOFILE, &usual));
    serve_who_waits(client);
}

/* The same by the functions that glibc puts in their places when a program is compiled with _FORTIFY_SOURCE. */
ssize_t __read_chk(int fd, void *buffer, size_t length, size_t room) __attribute__((weak));
ssize_t __recv_chk(int fd, void *buffer, size_t length, size_t room, int flags) __attribute__((weak));
ssize_t __recvfrom_chk(int fd, void *buffer, size_t length, size_t room, int flags, void *from, socklen_t *size)
    __attribute__((weak));

static void reads_its_listener_checked(void) {
    char bytes[100];
    start_listening(0);
    int client = dial();
    if (__read_chk) TELL(__read_chk(listener, bytes, 8, sizeof bytes));
    if (__recv_chk) TELL(__recv_chk(listener, bytes, 8, sizeof bytes, 0));
    if (__recvfrom_chk) TELL(__recvfrom_chk(listener, bytes, 8, sizeof bytes, 0, NULL, NULL));
    serve_who_waits(client);
}

static char early[100] = "not called\n";

/* Before any constructor, a preloaded library's too. */
static void read_early(void) {
    int ends[2];
    char byte = 0;
    errno = 0;
    int right = !pipe(ends) && write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x' && !errno;
    close(ends[0]);
    close(ends[1]);
    right &= read(ends[0], &byte, 1) == -1 && errno == EBADF;
    snprintf(early, sizeof early, "right %d\n", right);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_all)(void) = read_early;

static void reads_before_constructors(void) {
    say("%s", early);
    start_listening(0);
    serve_one("later", listener);
}

static int waited_for[2], cleaned;

static void clean(void *unused) {
    (void)unused;
    cleaned++;
}

static void *wait_in_read(void *unused) {
    char byte;
    pthread_cleanup_push(clean, NULL);
    tell("read", read(waited_for[0], &byte, 1));
    pthread_cleanup_pop(0);
    return unused;
}

static void *wait_in_recv(void *unused) {
    char byte;
    pthread_cleanup_push(clean, NULL);
    tell("recv", recv(waited_for[0], &byte, 1, 0));
    pthread_cleanup_pop(0);
    return unused;
}

/* Threads that wait for data are ended there, and what they have to clean up is. */
static void is_cancelled_in_read(void) {
    void *(*waits[])(void *) = {wait_in_read, wait_in_recv};
    start_listening(0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, waited_for)) say("socketpair: errno %d\n", errno);
    for (int way = 0; way < 2; way++) {
        pthread_t thread;
        void *result = NULL;
        tell("thread", pthread_create(&thread, NULL, waits[way], NULL));
        tell("cancel", pthread_cancel(thread));
        tell("join", pthread_join(thread, &result));
        say("cancelled %d, cleaned %d\n", result == PTHREAD_CANCELED, cleaned);
    }
    serve_one("later", listener);
}
#endif
