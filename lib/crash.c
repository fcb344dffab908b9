/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

/* As it lies in the file; of this machine alone.  A place that was never written is zero. */
struct mark {
	int64_t at_ns;
	int64_t sig;
};

static struct {
	int fd;
	off_t next;          /* where the next mark goes */
	struct mark *newest; /* NULL: none */
	struct mark mark[CRASH_MARKS];
	struct sigaction before[ARRAY_SIZE(fatal)];
	void *stack; /* for a stack that has no room left */
} crash = {.fd = -1};

static void handler(int sig)
{
	struct mark m = {.sig = sig};
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	m.at_ns = (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
	(void)!pwrite(crash.fd, &m, sizeof m, crash.next);
	/* What would have happened happens: the instruction again, or the signal for one sent. */
	for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &crash.before[i], NULL);
	raise(sig);
}

static void read_marks(void)
{
	unsigned newest = CRASH_MARKS - 1;

	memset(crash.mark, 0, sizeof crash.mark);
	if (pread(crash.fd, crash.mark, sizeof crash.mark, 0) < 0)
		memset(crash.mark, 0, sizeof crash.mark);
	for (unsigned i = 0; i < CRASH_MARKS; i++)
		if (crash.mark[i].at_ns > crash.mark[newest].at_ns)
			newest = i;
	crash.newest = crash.mark[newest].at_ns > 0 ? &crash.mark[newest] : NULL;
	crash.next = (off_t)((newest + 1) % CRASH_MARKS * sizeof(struct mark));
}

int crash_watch(const char *file)
{
	const size_t stack = 64 * 1024;
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	crash.fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (crash.fd < 0)
		return -errno;
	(void)!fallocate(crash.fd, 0, 0, sizeof crash.mark);
	read_marks();
	crash.stack = malloc(stack);
	if (crash.stack)
		sigaltstack(&(stack_t){.ss_sp = crash.stack, .ss_size = stack}, NULL);
	sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &action, &crash.before[i]);
	return 0;
}

bool crash_loop(int *sig)
{
	const struct mark *m = crash.newest, *first;

	if (crash.fd < 0 || !m)
		return false;
	first = &crash.mark[(size_t)(m - crash.mark + CRASH_MARKS - (CRASH_LOOP - 1)) %
			    CRASH_MARKS];
	*sig = (int)m->sig;
	return first->at_ns > 0 && first->at_ns <= m->at_ns &&
	       m->at_ns - first->at_ns <= CRASH_LOOP_S * (int64_t)NSEC_PER_SEC;
}

void crash_forget(void)
{
	memset(crash.mark, 0, sizeof crash.mark);
	crash.newest = NULL;
	crash.next = 0;
	if (crash.fd >= 0)
		(void)!pwrite(crash.fd, crash.mark, sizeof crash.mark, 0);
}

void crash_unwatch(void)
{
	if (crash.fd < 0)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &crash.before[i], NULL);
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	free(crash.stack);
	crash.stack = NULL;
	close(crash.fd);
	crash.fd = -1;
}
