// A static program with the mark of the Go linker: it makes its system calls itself, as far as anybody can see.
__attribute__((section(".go.buildinfo"), used)) static const char buildinfo[] = "\xff Go buildinf:";

int main(void) { return 0; }
