/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* mkdir -p, with mode `mode` for what is made. */
static int make_dirs(const char *dir, mode_t mode)
{
	char path[4096];
	size_t n = strlen(dir);

	if (n >= sizeof path)
		return -ENAMETOOLONG;
	memcpy(path, dir, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i])
			continue;
		path[i] = '\0';
		if (mkdir(path, mode) && errno != EEXIST)
			return -errno;
		path[i] = i < n ? '/' : '\0';
	}
	return 0;
}

int run_dir_hold(const char *dir, struct refusal *r)
{
	int error = make_dirs(dir, 0755);
	int fd = error ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (error || fd < 0)
		return refuse(r, SYSTEM, "--run-dir", "%s: %s; choose another with --run-dir DIR",
			      dir, strerror(error ? -error : errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	error = errno;
	close(fd);
	if (error == EWOULDBLOCK)
		return refuse(r, OCCUPIED, "--run-dir",
			      "%s: another sluiced runs there; give this one its own --run-dir",
			      dir);
	return refuse(r, SYSTEM, "--run-dir", "%s: %s", dir, strerror(error));
}

int parent_dir_make(const char *file, const char *option, struct refusal *r)
{
	const char *slash = strrchr(file, '/');
	char dir[4096];
	int error;

	if (!slash || slash == file || (size_t)(slash - file) >= sizeof dir)
		return 0;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - file), file);
	error = make_dirs(dir, 0700);
	if (error)
		return refuse(r, SYSTEM, option, "%s: %s; choose another with %s FILE", dir,
			      strerror(-error), option);
	return 0;
}

/* ---- The background ---- */

static int ready_fd = -1;

/* The parent: its child says one octet when it is ready, and nothing when it fails. */
static _Noreturn void wait_for_child(int fd, pid_t child)
{
	ssize_t n;
	char c;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		waitpid(child, NULL, 0);
	_exit(n == 1 ? 0 : 1);
}

int detach(struct refusal *r)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return refuse(r, SYSTEM, "--detach", "pipe: %s", strerror(errno));
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return refuse(r, SYSTEM, "--detach", "fork: %s", strerror(errno));
	}
	if (child) {
		close(fds[1]);
		wait_for_child(fds[0], child);
	}
	close(fds[0]);
	ready_fd = fds[1];
	setsid();
	return 0;
}

void detach_ready(void)
{
	int null;

	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(ready_fd, "", 1) != 1)
		perror("sluiced: detach");
	close(ready_fd);
	ready_fd = -1;
}

int pidfile_write(const char *file, struct refusal *r)
{
	FILE *f = fopen(file, "we");

	if (!f)
		return refuse(r, SYSTEM, "--pidfile", "%s: %s", file, strerror(errno));
	fprintf(f, "%d\n", (int)getpid());
	if (fclose(f))
		return refuse(r, SYSTEM, "--pidfile", "%s: %s", file, strerror(errno));
	return 0;
}

/* ---- Privileges ---- */

void process_harden(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;

	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGXFSZ, SIG_IGN); /* a file that must not grow is an error of write(), no more */
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (!setrlimit(RLIMIT_MEMLOCK, &unlimited) || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	limit.rlim_cur = limit.rlim_max; /* as far as one may without privilege */
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

int privileges_drop(struct refusal *r)
{
	static const int keep[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_IPC_LOCK};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[2], data[2] = {{0}};

	if (geteuid())
		return 0;
	if (syscall(SYS_capget, &head, now))
		return refuse(r, SYSTEM, "", "capget: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		data[CAP_TO_INDEX(keep[i])].permitted |= CAP_TO_MASK(keep[i]);
		data[CAP_TO_INDEX(keep[i])].effective |= CAP_TO_MASK(keep[i]);
	}
	for (unsigned i = 0; i < 2; i++) { /* a container may have given fewer */
		data[i].permitted &= now[i].permitted;
		data[i].effective &= now[i].permitted;
	}
	if (syscall(SYS_capset, &head, data))
		return refuse(r, SYSTEM, "", "capset: %s", strerror(errno));
	return 0;
}

void privileges_drop_all(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if (geteuid())
		return;
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	syscall(SYS_capset, &head, none);
}
