/* SPDX-License-Identifier: Apache-2.0 */
/* rxloop DEVICE: receives on queue 0 by AF_XDP (copy mode) and gives every frame back at once: the
 * floor under whatever drops on AF_XDP.  On SIGUSR1 it prints `PACKETS BUSY-NS`, both since the
 * start; SIGTERM ends it.
 *
 * Busy is the time, by the processor's counter, of those turns that received something: refilling,
 * the look at the ring, giving back.  Turns that found nothing do not count, as in what sluice
 * calls busy_ns and Open vSwitch processing cycles. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>
#include <linux/if_link.h>
#include <xdp/xsk.h>

enum { FRAMES = 8192, FRAME = 2048, RING = 2048, BATCH = 64 };

struct loop {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod tx, fill;
	uint64_t idle[FRAMES]; /* addresses of frames nobody has */
	unsigned n_idle;
	uint64_t packets, busy; /* ticks */
};

static volatile sig_atomic_t asked, over;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		asked = 1;
	else
		over = 1;
}

static bool open_loop(struct loop *l, const char *device)
{
	const struct xsk_umem_config umem = {
		.fill_size = 2 * RING, .comp_size = RING, .frame_size = FRAME};
	const struct xsk_socket_config socket = {.rx_size = RING,
						 .tx_size = RING,
						 .xdp_flags = XDP_FLAGS_DRV_MODE,
						 .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP};
	void *memory = mmap(NULL, (size_t)FRAMES * FRAME, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	for (l->n_idle = 0; l->n_idle < FRAMES; l->n_idle++)
		l->idle[l->n_idle] = (uint64_t)l->n_idle * FRAME;
	return memory != MAP_FAILED &&
	       !xsk_umem__create(&l->umem, memory, (uint64_t)FRAMES * FRAME, &l->fill,
				 &l->completion, &umem) &&
	       !xsk_socket__create(&l->socket, device, 0, l->umem, &l->rx, &l->tx, &socket);
}

static void refill(struct loop *l)
{
	uint32_t at, n = xsk_prod_nb_free(&l->fill, RING);

	n = n < l->n_idle ? n : l->n_idle;
	if (n < BATCH || xsk_ring_prod__reserve(&l->fill, n, &at) != n)
		return;
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&l->fill, at + i) = l->idle[--l->n_idle];
	xsk_ring_prod__submit(&l->fill, n);
}

static unsigned receive(struct loop *l)
{
	uint32_t at, n = xsk_ring_cons__peek(&l->rx, BATCH, &at);

	for (uint32_t i = 0; i < n; i++)
		l->idle[l->n_idle++] =
			xsk_ring_cons__rx_desc(&l->rx, at + i)->addr & ~(uint64_t)(FRAME - 1);
	if (n)
		xsk_ring_cons__release(&l->rx, n);
	return n;
}

static double nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run(struct loop *l)
{
	double from_ns = nanoseconds();
	uint64_t from = __rdtsc(), at = from;

	while (!over) {
		unsigned n;
		uint64_t now;

		refill(l);
		n = receive(l);
		now = __rdtsc();
		l->packets += n;
		l->busy += n ? now - at : 0;
		at = now;
		if (asked) {
			double ns = (nanoseconds() - from_ns) / (double)(now - from);

			asked = 0;
			printf("%llu %.0f\n", (unsigned long long)l->packets, (double)l->busy * ns);
		}
	}
}

int main(int argc, char **argv)
{
	static struct loop l;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (argc != 2 || !open_loop(&l, argv[1])) {
		fprintf(stderr, "usage: rxloop DEVICE (as root)\n");
		return 2;
	}
	printf("ready\n");
	run(&l);
	xsk_socket__delete(l.socket);
	xsk_umem__delete(l.umem);
	return 0;
}
