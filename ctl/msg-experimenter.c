/* SPDX-License-Identifier: Apache-2.0 */
/* Experimenter messages (TS-023, 7.5.4): dispatch by experimenter and type. */
#include "ctl/msg.h"

static const struct {
	uint32_t experimenter, exp_type;
	struct ofmsg_row row;
} rows[] = {
#define EXPERIMENT(EXPERIMENTER, TYPE, SIZE, MORE, WRITES, HANDLER) \
	{EXPERIMENTER, TYPE, {#TYPE, SIZE, MORE, WRITES, HANDLER}},
#include "ctl/experimenters.def"
#undef EXPERIMENT
};

int msg_experimenter(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t experimenter = pull_u32(&m->body), exp_type = pull_u32(&m->body);
	bool known = false;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].experimenter != experimenter)
			continue;
		if (rows[i].exp_type == exp_type)
			return ofmsg_handle_row(c, &rows[i].row, m, r);
		known = true;
	}
	if (known)
		return refuse(r, BAD_EXP_TYPE, "exp_type",
			      "experimenter 0x%08x has no message %u here", experimenter, exp_type);
	return refuse(r, BAD_EXPERIMENTER, "experimenter", "experimenter 0x%08x is not known here",
		      experimenter);
}
