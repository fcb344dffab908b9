/* SPDX-License-Identifier: Apache-2.0 */
/* What holds without a controller (TS-023, 6.3.2).
 *
 * Only controllers that the switch dials count: who listens cannot know whether anyone is missing.
 * When none of them has been connected for `fail-after` seconds, a switch of fail-mode=standalone
 * goes on without its OpenFlow tables: what the guard lets through is routed (NORMAL).  Its rules
 * stay as they are, timeouts included, and hold again at once when a controller is back, or another
 * setting or the end of the method says that none is missing.  With fail-mode=secure nothing
 * changes: rules go on, and packets for controllers are dropped. */
#ifndef SLUICE_CTL_FAIL_MODE_H
#define SLUICE_CTL_FAIL_MODE_H

#include "ofproto/ofproto.h"

struct fail_mode {
	struct ofproto *ofproto;
	bool missing;
	uint64_t since_ns; /* of missing: the last time that one was there, or the first that one
			    * was wanted */
};

/* How it stands: whether controllers are wanted, and whether one is there.  At least once a second,
 * and at once when it changes. */
void fail_mode_run(struct fail_mode *f, bool wanted, bool there);

#endif
