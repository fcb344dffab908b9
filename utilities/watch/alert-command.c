/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: a program of its own process group, with nothing of ours but the alert on its standard
 * input (a file in memory, so that no program can make us wait for it). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "utilities/watch/alert-way.h"

enum { COMMAND_MS = 10000 };

struct commands {
	struct event *sigchld;
};

struct child {
	struct letter *letter;
	struct event *late;
	pid_t pid;
};

int command_check(const char *file, struct refusal *r)
{
	if (file[0] != '/' || strlen(file) >= 4096)
		return refuse(
			r, BAD_VALUE, "alert",
			"option alert: command:%.60s: a program's whole path is expected, without "
			"arguments",
			file);
	return 0;
}

static int memory_file(const char *text)
{
	size_t size = strlen(text);
	int fd = memfd_create("alert", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, text, size) != (ssize_t)size || write(fd, "\n", 1) != 1 ||
			lseek(fd, 0, SEEK_SET))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* 0 and *pid, or an errno. */
static int spawn(const char *file, int in, pid_t *pid)
{
	char *const argv[] = {(char *)(uintptr_t)file, NULL};
	char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			     "LC_ALL=C.UTF-8", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&files) || posix_spawnattr_init(&attr))
		abort();
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	error = posix_spawn(pid, file, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static void child_free(struct child *c)
{
	event_free(c->late);
	free(c);
}

/* Its group, and itself if it left that for one of its own. */
static void end(const struct child *c)
{
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
}

static void on_late(evutil_socket_t fd, short events, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)events;
	LOG(WARN, "alert: command %s: still running after its time, and ended", c->letter->to);
	end(c);
}

static void on_sigchld(evutil_socket_t number, short events, void *arg)
{
	struct alert_way *w = arg;
	struct letter *next;
	int status;

	(void)number;
	(void)events;
	/* letter_end() may start others, which come in front: they are not asked after here. */
	for (struct letter *l = w->under_way; l; l = next) {
		struct child *c = l->under_way;

		next = l->next;
		if (waitpid(c->pid, &status, WNOHANG) != c->pid)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			LOG(WARN, "alert: command %s: status %d", l->to, WEXITSTATUS(status));
		child_free(c);
		letter_end(l, WIFEXITED(status) && !WEXITSTATUS(status));
	}
}

static int command_start(struct letter *l)
{
	struct alert_way *w = l->way;
	unsigned ms = w->config.command_ms ? w->config.command_ms : COMMAND_MS;
	const struct timeval patience = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};
	struct child *c = calloc(1, sizeof *c);
	int in = memory_file(l->text), error;

	if (!c)
		abort();
	error = in < 0 ? errno : command_check(l->to, NULL) ? EINVAL : spawn(l->to, in, &c->pid);
	if (in >= 0)
		close(in);
	if (error) {
		LOG(WARN, "alert: command %s: %s", l->to, strerror(error));
		free(c);
		return -error;
	}
	c->letter = l;
	l->under_way = c;
	c->late = evtimer_new(w->config.base, on_late, c);
	if (!c->late)
		abort();
	event_add(c->late, &patience);
	return 0;
}

static void command_stop(struct letter *l)
{
	struct child *c = l->under_way;

	end(c);
	waitpid(c->pid, NULL, 0);
	child_free(c);
}

void command_init(struct alert_way *w)
{
	struct commands *own = calloc(1, sizeof *own);

	if (!own)
		abort();
	own->sigchld = evsignal_new(w->config.base, SIGCHLD, on_sigchld, w);
	if (!own->sigchld)
		abort();
	event_add(own->sigchld, NULL);
	w->own = own;
	w->max = ALERT_COMMANDS_MAX;
	w->start = command_start;
	w->stop = command_stop;
}

void command_free(struct alert_way *w)
{
	struct commands *own = w->own;

	event_free(own->sigchld);
	free(own);
}
