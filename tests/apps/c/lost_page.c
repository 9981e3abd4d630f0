/* Binds a UDP socket to an address that lies in a page which never comes (userfaultfd): whoever reads it waits until this
 * process ends. Says `binds` before that, and `no userfaultfd` and ends if it may not have one. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    long fault = syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    if (fault < 0 || ioctl((int)fault, UFFDIO_API, &api) != 0) {
        puts("no userfaultfd");
        return 0;
    }
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register all = {
        .range = {.start = (unsigned long)page, .len = size},
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };
    if (page == MAP_FAILED || ioctl((int)fault, UFFDIO_REGISTER, &all) != 0) {
        puts("no userfaultfd");
        return 0;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    puts("binds");
    fflush(stdout);
    bind(fd, page, 16);
    return 1;
}
