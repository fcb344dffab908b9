/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart requests (TS-023, 7.3.5): dispatch by type, and desc, the one without a subject.
 *
 * A request in several messages (OFPMPF_REQ_MORE) makes sense for table-features alone.  Each
 * message has whole tables and is looked at when it comes, up to a bound, and nothing of it is
 * kept, for tables cannot be changed; the last one is answered.  When one is refused, that is the
 * answer, and the others say nothing any more. */
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

/* With more to come. */
static int check_part(struct ofconn *c, const struct ofmsg *m, struct refusal *r)
{
	if (c->more_octets > REQUEST_OCTETS)
		return refuse(r, MULTIPART_OVERFLOW, "flags",
			      "a request of more than %u octets in several messages",
			      REQUEST_OCTETS);
	return table_features_ask(c, &m->body, r);
}

/* Messages of another request are a new beginning. */
static int request_part(struct ofconn *c, const struct ofmsg *m, uint16_t type, struct refusal *r)
{
	int error;

	if (type != OFPMP_TABLE_FEATURES)
		return refuse(r, MULTIPART_OVERFLOW, "flags",
			      "a request of type %u in several messages; it fits in one", type);
	if (c->more_xid != m->xid || !c->more_octets) {
		c->more_octets = 0;
		c->more_refused = false;
	}
	c->more_xid = m->xid;
	if (c->more_refused)
		return 0;
	c->more_octets += m->size;
	error = check_part(c, m, r);
	c->more_refused = error != 0;
	return error;
}

/* The last message of one that was refused already. */
static bool ends_refused(struct ofconn *c, const struct ofmsg *m)
{
	bool same = c->more_octets && c->more_xid == m->xid;

	c->more_octets = 0;
	return same && c->more_refused;
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
	if (type == OFPMP_TABLE_FEATURES && ends_refused(c, m))
		return 0;
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
