/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/fail-mode.h"

#include "lib/log.h"

void fail_mode_run(struct fail_mode *f, bool wanted, bool there)
{
	const struct switch_settings *s = ofproto_settings(f->ofproto);
	bool missing = wanted && !there;
	uint64_t now = ofproto_now(f->ofproto);
	bool alone;

	if (missing && !f->missing)
		f->since_ns = now;
	f->missing = missing;
	alone = missing && !s->fail_secure && now - f->since_ns >= s->fail_after_s * NSEC_PER_SEC;
	if (alone == ofproto_is_standalone(f->ofproto))
		return;
	if (alone)
		LOG(WARN,
		    "openflow: no controller for %u s: on as a standalone switch, which routes "
		    "what "
		    "the guard lets through",
		    s->fail_after_s);
	else
		LOG(INFO, "openflow: %s: the rules hold again",
		    there ? "a controller is there" : "no controller is missed any more");
	ofproto_standalone(f->ofproto, alone);
}
