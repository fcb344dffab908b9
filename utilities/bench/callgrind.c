/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions, by callgrind: a process of its own runs one cell once, with collection inside the
 * one function that is timed; what libraries do on its behalf is counted with it, what sluice-bench
 * does around it is not.  Counts repeat exactly, on any machine, for the same build; but valgrind's
 * processor has no AVX-512, so where code chooses by what the processor has, another way is counted
 * than runs here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "utilities/bench/bench.h"

enum { COUNTED = 2 * BENCH_SLICE };

static _Noreturn void be_valgrind(const struct cell *c, const struct bench_options *o, int out)
{
	char self[4096], packets[24], seed[24];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[MAX(n, (ssize_t)0)] = '\0';
	snprintf(packets, sizeof packets, "%u", COUNTED);
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
	dup2(out, STDERR_FILENO);
	execlp("valgrind", "valgrind", "--tool=callgrind", "--toggle-collect=bench_measured",
	       "--callgrind-out-file=/dev/null", self, "--counted", "--packets", packets, "--seed",
	       seed, "--scenario", c->name, (char *)NULL);
	_exit(127);
}

/* Its last words: `Collected : N`. */
static uint64_t read_count(FILE *from)
{
	char line[512], *at;
	uint64_t n = 0;

	while (fgets(line, sizeof line, from)) {
		at = strstr(line, "Collected : ");
		if (at)
			n = strtoull(at + strlen("Collected : "), NULL, 10);
	}
	return n;
}

bool cell_callgrind(struct cell *c, const struct bench_options *o)
{
	uint64_t frames = COUNTED / MAX(c->scenario->packets_per_frame, 1u), n;
	int ends[2], status = 0;
	FILE *from;
	pid_t child;

	fflush(stdout);
	if (pipe(ends))
		return false;
	child = fork();
	if (!child)
		be_valgrind(c, o, ends[1]);
	close(ends[1]);
	from = fdopen(ends[0], "r");
	n = from && child > 0 ? read_count(from) : 0;
	if (from)
		fclose(from);
	if (child > 0)
		waitpid(child, &status, 0);
	c->instructions = (double)n / (double)(frames * MAX(c->scenario->packets_per_frame, 1u));
	return n && !status;
}
