/* Accepts through io_uring and by nothing else; each client gets one line. Says on stdout when it has a ring, or why not. */
#include "listener.h"
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static int ring;

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

/* What accept4() would return. */
static int ring_accept(void) {
    unsigned tail = *sq_tail, place = tail & *sq_mask;
    memset(&sqes[place], 0, sizeof sqes[place]);
    sqes[place].opcode = IORING_OP_ACCEPT;
    sqes[place].fd = listener;
    sq_array[place] = place;
    __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
    while (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        if (errno != EINTR) die("io_uring_enter");
    unsigned head = *cq_head;
    while (head == __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE)) {}
    int result = cqes[head & *cq_mask].res;
    __atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setup();
    open_ring();
    start_listening(0);
    for (;;) {
        int fd = ring_accept();
        if (fd < 0) {
            /* Such a program may well try again for ever. */
            nanosleep(&(struct timespec){0, 100000000}, NULL);
            continue;
        }
        if (write(fd, "by the ring\n", 12) != 12) die("write");
        close(fd);
    }
}
