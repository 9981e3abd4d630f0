/* Tells what a bind() and a listen() that succeed do to errno: some event loops read it whatever the call returned. */
#include "listener.h"

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setup();
    errno = 77;
    start_listening(0);
    printf("errno %d\n", errno);
    for (;;) pause();
}
