/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a network interface, asked once when a port opens.
 *
 * News about it (link down, address added) come over rtnetlink to the control side, which keeps
 * port->up.  Control thread. */
#ifndef SLUICE_NETDEV_H
#define SLUICE_NETDEV_H

#include "lib/refuse.h"

struct netdev {
	int ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	bool up;            /* administratively, and running */
	unsigned n_queues;  /* pairs of an rx and a tx queue that are in use (ethtool channels) */
	bool has_address;   /* an IP address that is not link-local */
	bool default_route; /* a default route of the main table leaves by it */
	char driver[32];
};

/* Fills *n for interface `name`, an Ethernet device; or refuses (NOT_FOUND, BAD_VALUE, SYSTEM). */
int netdev_read(const char *name, struct netdev *n, struct refusal *r);

/* Lets the interface take every frame as long as the returned descriptor is open; -errno. */
int netdev_promiscuous(int ifindex);

/* Stops (or resumes) the device's taking VLAN tags off received frames: XDP does not see a tag
 * that is not in the octets.  Returns whether that changed anything. */
bool netdev_vlan_stripping(int ifindex, bool strip);

#endif
