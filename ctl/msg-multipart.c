/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart requests (TS-023, 7.3.5): dispatch by type, and desc, the one without a subject.
 *
 * A request in several messages (OFPMPF_REQ_MORE) makes sense for table-features alone, which
 * cannot be set here: its octets are counted up to a bound, and the last one is answered. */
#include "config.h"
#include "ctl/msg.h"

enum { REQUEST_OCTETS = 256 * 1024 };

static const struct ofmsg_row rows[] = {
#define MULTIPART(TYPE, SIZE, MORE, HANDLER) [TYPE] = {#TYPE, SIZE, MORE, false, HANDLER},
#define OFPMP_EXPERIMENTER                   14 /* its row stands behind the others */
#include "ctl/multiparts.def"
#undef OFPMP_EXPERIMENTER
#undef MULTIPART
};

static const struct ofmsg_row *row_of(uint16_t type)
{
	if (type == OFPMP_EXPERIMENTER)
		return &rows[ARRAY_SIZE(rows) - 1];
	return type < ARRAY_SIZE(rows) - 1 ? &rows[type] : NULL;
}

/* A part of a request with more to come.  Parts of another request are a new beginning. */
static int request_part(struct ofconn *c, const struct ofmsg *m, uint16_t type, struct refusal *r)
{
	if (type != OFPMP_TABLE_FEATURES)
		return refuse(r, MULTIPART_OVERFLOW, "flags",
			      "a request of type %u in several messages; it fits in one", type);
	if (c->more_xid != m->xid)
		c->more_octets = 0;
	c->more_xid = m->xid;
	c->more_octets += m->size;
	if (c->more_octets > REQUEST_OCTETS) {
		c->more_octets = 0;
		return refuse(r, MULTIPART_OVERFLOW, "flags",
			      "a request of more than %u octets in several messages",
			      REQUEST_OCTETS);
	}
	return 0;
}

int msg_multipart_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t type = pull_u16(&m->body), flags = pull_u16(&m->body);
	const struct ofmsg_row *row = row_of(type);

	pull(&m->body, 4);
	if (!row || !row->handle)
		return refuse(r, BAD_MULTIPART, "type", "multipart type %u is not known here",
			      type);
	if (flags & OFPMPF_REQ_MORE)
		return request_part(c, m, type, r);
	if (!ofmsg_size_fits(row, reader_left(&m->body)))
		return refuse(r, BAD_LEN, "length", "%s with a body of %zu octets; it has %u%s",
			      row->name, reader_left(&m->body), row->size,
			      row->more ? " or more" : "");
	return row->handle(c, m, r);
}

static const struct {
	uint32_t exp_type;
	struct ofmsg_row row;
} exp_rows[] = {
#define EXP_MULTIPART(TYPE, SIZE, MORE, HANDLER) {TYPE, {#TYPE, SIZE, MORE, false, HANDLER}},
#include "ctl/exp-multiparts.def"
#undef EXP_MULTIPART
};

int multipart_experimenter(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t experimenter = pull_u32(&m->body), exp_type = pull_u32(&m->body);

	if (experimenter != SLUICE_EXPERIMENTER)
		return refuse(r, BAD_EXPERIMENTER, "experimenter",
			      "experimenter 0x%08x is not known here", experimenter);
	for (unsigned i = 0; i < ARRAY_SIZE(exp_rows); i++) {
		const struct ofmsg_row *row = &exp_rows[i].row;

		if (exp_rows[i].exp_type != exp_type)
			continue;
		if (ofmsg_size_fits(row, reader_left(&m->body)))
			return row->handle(c, m, r);
		return refuse(r, BAD_LEN, "length",
			      "%s with %zu octets behind its type; it has %u%s", row->name,
			      reader_left(&m->body), row->size, row->more ? " or more" : "");
	}
	return refuse(r, BAD_EXP_TYPE, "exp_type", "sluice has no experimenter multipart %u",
		      exp_type);
}

int multipart_desc(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct buf b;

	(void)r;
	of_begin_multipart(&b, OFPMP_DESC, m->xid);
	ext_put_name(&b, "sluice", 256);
	ext_put_name(&b, "AF_XDP gateway", 256);
	ext_put_name(&b, PACKAGE_VERSION, 256);
	ext_put_name(&b, "none", 32);
	ext_put_name(&b, "sluice", 256);
	ofconn_send(c, &b);
	return 0;
}
