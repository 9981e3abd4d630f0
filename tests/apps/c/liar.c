/* A library to preload that answers one call wrongly: listen() on a unix socket. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int listen(int fd, int backlog) {
    int domain = 0;
    socklen_t length = sizeof domain;
    if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) && domain == AF_UNIX) {
        errno = EXDEV;
        return -1;
    }
    return (int)syscall(SYS_listen, fd, backlog);
}
