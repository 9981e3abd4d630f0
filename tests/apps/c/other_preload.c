/* A library that a user preloads for reasons of his own: it says that it was loaded. */
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
    static const char text[] = "other preload: loaded\n";
    if (write(2, text, sizeof text - 1)) return;
}
