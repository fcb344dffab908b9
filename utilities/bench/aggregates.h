/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregates for scenarios: IP-TFS in ESP with aes128gcm, sealed while a slice is written, which is
 * not timed.  Each carries the next sequence number of its connection, so the replay window sees
 * what it sees on a line, and never has to be turned back.  A bed has one connection. */
#ifndef SLUICE_UTILITIES_AGGREGATES_H
#define SLUICE_UTILITIES_AGGREGATES_H

#include "utilities/bench/bench.h"

enum {
	AGG_OFPORT = 3, /* of the connection */
	AGG_UNITS = 24, /* data units of 46 octets each in an aggregate: 1,104 octets of them */
	AGG_DSCP = 14,  /* of the outer header */
};

void aggregates_open(struct bed *b);
void aggregates_close(struct bed *b);
/* The next aggregate: its data units are of the traffic's next AGG_UNITS flows. */
uint32_t aggregate_write(struct cell *c, uint8_t *frame);
/* The next one of which the outer source is the traffic's; all else in it stays as it is. */
uint32_t aggregate_write_from(struct cell *c, uint8_t *frame);

#endif
