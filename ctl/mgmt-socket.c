/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/mgmt-socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What the socket is called in refusals: `mgmt.sock`. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A socket that nobody answers at is free to take; no other file is (connecting to one is refused,
 * too). */
static int clear_path(const struct sockaddr_un *addr, struct refusal *r)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;
	struct stat st;

	if (fd < 0)
		return refuse(r, SYSTEM, base_name(addr->sun_path), "%s: %s", addr->sun_path,
			      strerror(errno));
	error = connect(fd, (const struct sockaddr *)addr, sizeof *addr) ? errno : 0;
	close(fd);
	if (!error || error == EAGAIN)
		return refuse(r, OCCUPIED, base_name(addr->sun_path),
			      "%s: another daemon answers there; give this one its own --run-dir",
			      addr->sun_path);
	if (error == ECONNREFUSED && !lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(addr->sun_path);
	return 0;
}

static int bind_path(const struct sockaddr_un *addr, struct refusal *r)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0117);
	int error = fd < 0 || bind(fd, (const struct sockaddr *)addr, sizeof *addr) ? errno : 0;

	umask(mask);
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return refuse(r, SYSTEM, base_name(addr->sun_path), "%s: %s", addr->sun_path,
		      strerror(error));
}

int mgmt_socket_bind(const char *path, struct refusal *r)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof addr.sun_path)
		return refuse(r, BAD_VALUE, base_name(path),
			      "%s: longer than a socket's path can be (%zu)", path,
			      sizeof addr.sun_path - 1);
	strcpy(addr.sun_path, path);
	return clear_path(&addr, r) ? -EINVAL : bind_path(&addr, r);
}

void mgmt_socket_lend(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];
	struct stat st;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	if (!stat(folder, &st) && st.st_gid != getegid() && lchown(path, (uid_t)-1, st.st_gid))
		return; /* not a group of ours: its own is as good as any */
}

/* ---- Peers ---- */

enum { GROUPS_MAX = 1024 };

static bool is_in_group(int fd, const struct ucred *who, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof groups;

	if (who->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (unsigned i = 0; i < size / sizeof groups[0]; i++)
		if (groups[i] == group)
			return true;
	return false;
}

int mgmt_socket_peer(int fd, const char *path, struct ucred *who)
{
	socklen_t size = sizeof *who;
	struct stat st;

	*who = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size))
		return -EPERM;
	if (!who->uid || who->uid == geteuid())
		return 0;
	if (stat(path, &st))
		return -EPERM;
	return who->uid == st.st_uid || is_in_group(fd, who, st.st_gid) ? 0 : -EPERM;
}
