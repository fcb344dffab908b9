/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/guard.h"

#include <errno.h>

#define ACCEPTED                                                                                  \
	"drop, reject, limit, limiter, connlimit, sample, clamp_mss, output, pass and set_field " \
	"of pkt_mark would be accepted"

static int check_action(const struct op *op, struct refusal *r)
{
	const char *name = action_class(op->kind)->name;

	switch (op->kind) {
	case ACTION_OUTPUT:
	case ACTION_LIMIT:
	case ACTION_SAMPLE:
	case ACTION_LIMITER:
	case ACTION_CONNLIMIT:
	case ACTION_CLAMP_MSS:
	case ACTION_REJECT:
		return 0;
	case ACTION_SET_FIELD:
		if (op->arg == FIELD_PKT_MARK)
			return 0;
		return refuse(r, BAD_ACTION, name,
			      "set_field of %s is not for the guard; of pkt_mark it would be "
			      "accepted",
			      fields[op->arg].name);
	default:
		return refuse(r, BAD_ACTION, name, "%s is not for the guard; " ACCEPTED, name);
	}
}

/* Sets whether an output ends the path: one, as the last action. */
static int check_actions(const struct buf *ops, bool *ends, struct refusal *r)
{
	const char *ended = "";

	*ends = false;
	OP_FOR_EACH(op, ops->data, ops->size)
	{
		int error = check_action(op, r);

		if (error)
			return error;
		if (*ends)
			return refuse(r, BAD_ACTION, action_class(op->kind)->name,
				      "in the guard %s ends the path; as the last action it "
				      "would be accepted",
				      ended);
		*ends = action_class(op->kind)->outputs;
		ended = action_class(op->kind)->name;
	}
	return 0;
}

int guard_complete(struct instructions *i, struct refusal *r)
{
	bool ends;

	if (i->has_write || i->clear || i->metadata_mask || i->meter ||
	    (i->has_goto && i->goto_table))
		return refuse(r, UNSUP_INSTRUCTION, "actions",
			      "write_actions, clear_actions, write_metadata, meter and goto_table "
			      "are not for the guard; " ACCEPTED);
	if (check_actions(&i->apply, &ends, r))
		return -EINVAL;
	if (ends && i->has_goto)
		return refuse(
			r, BAD_GOTO, "pass",
			"output and reject end the path, and pass goes on; one of them would be "
			"accepted");
	if (!ends && i->apply.size) {
		i->has_goto = true;
		i->goto_table = 0;
	}
	return 0;
}
