/* The player's reads and writes: on a listener, which gives no data and takes none. */
#ifndef PLAY_DATA_H
#define PLAY_DATA_H
#include "play_calls.h"

/* Reads from a listener or writes to it, which nobody can. */
static void play_data(int slot, int how) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    char bytes[100] = {0};
    struct iovec part = {bytes, sizeof bytes};
    struct sockaddr_storage from;
    socklen_t room = sizeof from;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr several = {.msg_hdr = message};
    void *volatile nowhere = (void *)16;
    if (!object || !object->listening) return skip("no listener");
    if (is_anothers(object)) return skip("another's listener");
    if (object->number != fd) return skip("a copy is not seen to be one");
    switch (how) {
    case 0: return say_result(read(fd, bytes, sizeof bytes));
    case 1: return say_result(read(fd, bytes, 0));
    case 2: return say_result(read(fd, nowhere, 8));
    case 3: return say_result(readv(fd, &part, 1));
    case 4: return say_result(recv(fd, bytes, sizeof bytes, 0));
    case 5: return say_result(recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT));
    case 6: return say_result(recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &room));
    case 7: return say_result(recvmsg(fd, &message, 0));
    case 8: return say_result(recvmmsg(fd, &several, 1, 0, NULL));
    case 9: return say_result(write(fd, "GET", 3));
    case 10: return say_result(writev(fd, &part, 1));
    case 11: return say_result(send(fd, "GET", 3, MSG_NOSIGNAL));
    case 12: return say_result(sendto(fd, "GET", 3, 0, (struct sockaddr *)&from, sizeof(struct sockaddr_in)));
    case 13: return say_result(sendmsg(fd, &message, 0));
    case 14: return say_result(sendmmsg(fd, &several, 1, 0));
    case 15: return say_result(write(fd, nowhere, 3));
    case 16: return say_result(preadv2(fd, &part, 1, -1, 0));
    case 17: return say_result(pwritev2(fd, &part, 1, 0, 0));
    case 18: return say_result(recv(fd, bytes, sizeof bytes, MSG_OOB));
    case 19: return say_result(send(fd, "GET", 3, MSG_FASTOPEN));
    case 20: return say_result(recvmsg(fd, nowhere, 0));
    default: return say_result(recv(fd, bytes, sizeof bytes, MSG_ERRQUEUE));
    }
}
#endif
