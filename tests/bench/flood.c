/* SPDX-License-Identifier: Apache-2.0 */
/* flood DEVICE MAC SECONDS FLOWS|spoof|explode: as many frames of 60 octets as one processor can
 * send, to MAC; at the end the frames a second that were offered are printed.  SIGTERM ends it
 * early.
 *
 * One long run, since each BPF_PROG_RUN sets up a page pool and takes it down, tens of
 * milliseconds; a signal ends it with EINTR, and the program has counted by itself. */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <bpf/bpf.h>

#include "tests/bench/flood.h"
#include "tests/bench/flood.skel.h"

enum { FRAME = 60, BATCH = 64 };

static void on_signal(int sig)
{
	(void)sig;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct flood *load(char **argv)
{
	struct flood *f = flood__open();
	unsigned char mac[6];
	unsigned short half[3];

	if (!f || sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3,
			 mac + 4, mac + 5) != 6)
		return NULL;
	memcpy(half, mac, sizeof half);
	f->rodata->mac0 = half[0];
	f->rodata->mac1 = half[1];
	f->rodata->mac2 = half[2];
	f->rodata->ifindex = if_nametoindex(argv[1]);
	f->rodata->kind = !strcmp(argv[4], "spoof")     ? FLOOD_SPOOF
			  : !strcmp(argv[4], "explode") ? FLOOD_EXPLODE
							: FLOOD_FLOWS;
	f->rodata->flows = (unsigned)strtoul(argv[4], NULL, 10);
	if (!f->rodata->ifindex || (f->rodata->kind == FLOOD_FLOWS && !f->rodata->flows))
		return NULL;
	return flood__load(f) ? NULL : f;
}

/* Rings SIGALRM when it is over; a signal that comes just before the run begins is rung again. */
static void set_end(double seconds)
{
	struct itimerval t = {.it_value = {(long)seconds, (long)((seconds - (long)seconds) * 1e6)},
			      .it_interval = {0, 100000}};

	signal(SIGALRM, on_signal);
	signal(SIGTERM, on_signal);
	setitimer(ITIMER_REAL, &t, NULL);
}

int main(int argc, char **argv)
{
	/* Ethernet, IPv4 with 46 octets in all, UDP; the rest is the program's. */
	unsigned char frame[FRAME] = {0, 0,    0, 0, 0,  0, 2, 0, 0, 0,  0,  1,        8,
				      0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, [39] = 26};
	struct xdp_md ctx = {.data_end = FRAME};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = FRAME, .ctx_in = &ctx,
		    .ctx_size_in = sizeof ctx, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .repeat = 1 << 30, .batch_size = BATCH);
	struct flood *f;
	double from;
	int error;

	if (argc != 5 || !(f = load(argv))) {
		fprintf(stderr, "usage: flood DEVICE MAC SECONDS FLOWS|spoof|explode (as root)\n");
		return 2;
	}
	set_end(atof(argv[3]));
	from = seconds_now();
	error = bpf_prog_test_run_opts(bpf_program__fd(f->progs.flood), &o);
	if (error && error != -EINTR) {
		fprintf(stderr, "flood: %s\n", strerror(-error));
		return 1;
	}
	printf("%.0f\n", (double)f->bss->sent / (seconds_now() - from));
	flood__destroy(f);
	return 0;
}
