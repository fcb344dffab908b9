/* SPDX-License-Identifier: Apache-2.0 */
/* A management socket's place in the file system, and who may speak there.
 *
 * The file's mode (0660) keeps others out.  Each who connects is looked at as well: root, whom
 * sluiced runs as, the file's owner, or one of its group; whatever the mode has become since.
 * Control thread. */
#ifndef SLUICE_CTL_MGMT_SOCKET_H
#define SLUICE_CTL_MGMT_SOCKET_H

#include <sys/socket.h>

#include "lib/refuse.h"

/* A bound socket of mode 0660, not yet listening; refuses a path where another daemon answers. */
int mgmt_socket_bind(const char *path, struct refusal *r);

/* Who connected `fd` by way of `path`: 0, or -EPERM for one who may not speak. */
int mgmt_socket_peer(int fd, const char *path, struct ucred *who);

#endif
