/* SPDX-License-Identifier: Apache-2.0 */
/* repeat FRAME DEVICE RATE AT: sends the frame that the file FRAME holds out of DEVICE, at most
 * RATE times a second (0: as often as one processor can), with a number that is one higher each
 * time in the four octets from AT on.  Until SIGTERM; then how many it sent and the seconds are
 * printed.
 *
 * One processor sends some millions a second so, since the kernel's half (repeat.bpf.c) makes no
 * socket buffers.  It is busy all the time, also between frames, so give it a low priority: each
 * BPF_PROG_RUN takes tens of milliseconds to begin and to end, so there is one. */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "tests/system/repeat.skel.h"

enum { BATCH = 64, FRAME_MAX = 1514 };

/* A signal ends the run with EINTR; one that came just before it began is rung again. */
static void on_signal(int number)
{
	(void)number;
	alarm(1);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct repeat *load(char **argv)
{
	struct repeat *r = repeat__open();
	unsigned long rate = strtoul(argv[3], NULL, 10);

	if (!r)
		return NULL;
	r->rodata->ifindex = if_nametoindex(argv[2]);
	r->rodata->gap_ns = rate ? 1000000000u / rate : 0;
	r->rodata->at = (unsigned)strtoul(argv[4], NULL, 10);
	return r->rodata->ifindex && !repeat__load(r) ? r : NULL;
}

int main(int argc, char **argv)
{
	static unsigned char frame[FRAME_MAX];
	FILE *file = argc == 5 ? fopen(argv[1], "r") : NULL;
	struct xdp_md ctx = {0};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .ctx_in = &ctx,
		    .ctx_size_in = sizeof ctx, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .repeat = 1 << 30, .batch_size = BATCH);
	struct repeat *r;
	double from;
	int error;

	if (!file) {
		fprintf(stderr, "usage: repeat FRAME DEVICE RATE AT (as root)\n");
		return 2;
	}
	o.data_size_in = ctx.data_end = (unsigned)fread(frame, 1, sizeof frame, file);
	fclose(file);
	r = load(argv);
	if (!r) {
		fprintf(stderr, "repeat: %s\n", strerror(errno));
		return 1;
	}
	signal(SIGTERM, on_signal);
	signal(SIGALRM, on_signal);
	from = seconds_now();
	error = bpf_prog_test_run_opts(bpf_program__fd(r->progs.repeat), &o);
	if (error && error != -EINTR) {
		fprintf(stderr, "repeat: %s\n", strerror(-error));
		return 1;
	}
	printf("%llu %.6f\n", (unsigned long long)r->bss->sent, seconds_now() - from);
	repeat__destroy(r);
	return 0;
}
