/* SPDX-License-Identifier: Apache-2.0 */
/* A management socket's place in the file system, and who may speak there.
 *
 * The file's mode (0660) keeps others out.  Each who connects is looked at as well: root, whom
 * sluiced runs as, the file's owner, or one of its group; whatever the mode has become since.
 * The watcher's socket is its folder's group's, where sluiced is of that group too: so a watcher
 * needs to be nobody else's.  Control thread. */
#ifndef SLUICE_CTL_MGMT_SOCKET_H
#define SLUICE_CTL_MGMT_SOCKET_H

#include <sys/socket.h>

#include "lib/refuse.h"

/* A bound socket of mode 0660, not yet listening; refuses a path where another daemon answers. */
int mgmt_socket_bind(const char *path, struct refusal *r);

/* Gives the socket to the group of its folder, if sluiced may. */
void mgmt_socket_lend(const char *path);

/* Who connected `fd` by way of `path`: 0, or -EPERM for one who may not speak. */
int mgmt_socket_peer(int fd, const char *path, struct ucred *who);

#endif
