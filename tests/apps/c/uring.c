/* Accepts through io_uring and by nothing else, one connection at a time. Says on stdout when it has a ring, or why not. On SIGTERM it takes its
 * accept back, finishes what it has accepted and ends. */
#include "blocking.h"
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ACCEPT = 1, CANCEL = 2 };

static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static int ring;
static volatile sig_atomic_t leaves;
static int takes_back;
static sigset_t while_waiting;

static void on_term(int number) {
    (void)number;
    leaves = 1;
}

static char *map(size_t size, unsigned long long offset) {
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, (off_t)offset);
    if (at == MAP_FAILED) die("mmap");
    return at;
}

static void open_ring(void) {
    struct io_uring_params wanted = {0};
    ring = (int)syscall(SYS_io_uring_setup, 4, &wanted);
    if (ring < 0) {
        printf("no ring: %s\n", strerror(errno));
        exit(0);
    }
    char *sq = map(wanted.sq_off.array + wanted.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = map(wanted.cq_off.cqes + wanted.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    sqes = (struct io_uring_sqe *)map(wanted.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    sq_tail = (unsigned *)(sq + wanted.sq_off.tail);
    sq_mask = (unsigned *)(sq + wanted.sq_off.ring_mask);
    sq_array = (unsigned *)(sq + wanted.sq_off.array);
    cq_head = (unsigned *)(cq + wanted.cq_off.head);
    cq_tail = (unsigned *)(cq + wanted.cq_off.tail);
    cq_mask = (unsigned *)(cq + wanted.cq_off.ring_mask);
    cqes = (struct io_uring_cqe *)(cq + wanted.cq_off.cqes);
    printf("has a ring\n");
}

static void submit(struct io_uring_sqe wanted) {
    unsigned tail = *sq_tail, place = tail & *sq_mask;
    sqes[place] = wanted;
    sq_array[place] = place;
    __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
    int done;
    while ((done = (int)syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0)) < 0 && errno == EINTR) {}
    if (done < 0) die("io_uring_enter");
}

/* Waits for the next result; none if a signal came first. */
static int next(struct io_uring_cqe *result) {
    unsigned head = *cq_head;
    while (head == __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE)) {
        if (syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, &while_waiting, 8) >= 0) continue;
        if (errno != EINTR) die("io_uring_enter");
        if (leaves && !takes_back) return 0;
    }
    *result = cqes[head & *cq_mask];
    __atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
    return 1;
}

static void take(int accepted) {
    if (accepted >= 0) serve(accepted);
    /* Such a program may well try again for ever. */
    else if (accepted != -ECANCELED) nanosleep(&(struct timespec){0, 100000000}, NULL);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setup();
    struct sigaction action = {.sa_handler = on_term};
    sigset_t term;
    sigemptyset(&while_waiting);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    sigaction(SIGTERM, &action, NULL);
    open_ring();
    start_listening(0);
    struct io_uring_cqe result;
    while (!leaves) {
        submit((struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener, .user_data = ACCEPT});
        if (next(&result)) {
            take(result.res);
            continue;
        }
        takes_back = 1;
        submit((struct io_uring_sqe){.opcode = IORING_OP_ASYNC_CANCEL, .addr = ACCEPT, .user_data = CANCEL});
        /* Of both, in whichever order. */
        for (int count = 0; count < 2; count++)
            if (next(&result) && result.user_data == ACCEPT) take(result.res);
        break;
    }
    close(listener);
}
