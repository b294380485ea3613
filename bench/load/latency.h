// The clock of the generators, and the latencies that they have seen, in microseconds.
#include <time.h>

#define LONGEST 1000000 // a later reply counts as that late

static unsigned latencies[LONGEST + 1];
static long latencies_seen;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void saw_latency(unsigned microseconds) {
    latencies[microseconds < LONGEST ? microseconds : LONGEST]++;
    latencies_seen++;
}

// What `part` of the latencies did not exceed.
static unsigned percentile(double part) {
    unsigned at = 0;
    for (double left = part * latencies_seen; at < LONGEST && left > latencies[at]; at++)
        left -= latencies[at];
    return at;
}
