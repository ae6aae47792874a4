/* SPDX-License-Identifier: Apache-2.0 */
/* Peers: the machine's limits, and native programs. */
#ifndef VGPU_BENCH_PEER_H
#define VGPU_BENCH_PEER_H

#include <stddef.h>

struct peer {
    const char *name;
    void (*prepare)(void);
    /* Either one thread's share of the work, and the work of all of them (operations or bytes) ... */
    void (*run)(unsigned index, unsigned threads);
    double (*work)(void);
    /* ... or the whole, in the row's unit. */
    double (*measure)(void);
};

/* Each ends with one without a name. */
extern const struct peer peers_arithmetic[], peers_memory[], peers_other[];

/* Work in 10^9 a second of all threads together, each on a CPU of its own. */
double peer_rate(const struct peer *peer);

/* Zeroed memory in huge pages where the kernel has them; peer_room ends the program instead of failing. */
void *peer_map(size_t bytes);
void *peer_room(size_t bytes);

#endif
