// The worker that does nothing: what is left of a launch's time is the launcher's and the kernel's.
// Linked statically.
int main() { return 0; }
