/* SPDX-License-Identifier: Apache-2.0 */
/* hold TID: stops one thread, as a debugger does, and lets it go on at SIGTERM or the end.  Says
 * `held` once it stands. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t tid = argc == 2 ? (pid_t)atol(argv[1]) : 0;
	sigset_t set;
	int status;

	if (tid <= 0) {
		fprintf(stderr, "usage: hold TID\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
		perror("hold");
		return 1;
	}
	puts("held");
	fflush(stdout);
	sigwait(&set, &status);
	return ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0;
}
