/* SPDX-License-Identifier: Apache-2.0 */
/* What our experimenter's messages share (msg.h): names, reasons, and long answers. */
#include <stdlib.h>

#include "ctl/guard-words.h"
#include "ctl/msg.h"

int ext_get_name(struct reader *body, char *name, size_t room, struct refusal *r)
{
	const uint8_t *octets = pull(body, room);

	if (!octets)
		return refuse(r, BAD_LEN, "name", "the message ends within a name");
	memcpy(name, octets, room);
	if (!name[room - 1])
		return 0;
	name[0] = '\0';
	return refuse(r, EXT_VALUE, "name",
		      "a name of %zu octets; up to %zu, and zeros behind, "
		      "would be accepted",
		      room, room - 1);
}

void ext_put_name(struct buf *b, const char *name, size_t room)
{
	memcpy(buf_put(b, room), name, MIN(strlen(name), room - 1));
}

int ext_get_reason(struct reader *body, uint16_t size, char *reason, struct refusal *r)
{
	const uint8_t *octets = pull(body, ROUND_UP(size, 8u));

	if (!octets || size > GUARD_REASON_MAX || memchr(octets, '\0', size))
		return refuse(r, EXT_VALUE, "reason",
			      "a reason of %u octets; up to %d, none of them zero, within the "
			      "message, would be accepted",
			      size, GUARD_REASON_MAX);
	memcpy(reason, octets, size);
	reason[size] = '\0';
	return size ? guard_check_reason(reason, r) : 0;
}

/* ---- Long answers ------------------------------------------------------------------------ */

static bool list_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct ext_list *list = container_of(reply, struct ext_list, reply);
	const uint8_t *entry;

	(void)c;
	if (list->at == list->entries.size)
		return false;
	entry = list->entries.data + list->at;
	buf_octets(page, entry, get_be16(entry));
	list->at += get_be16(entry);
	return true;
}

static void list_free(struct ext_list *list)
{
	buf_free(&list->entries);
	free(list);
}

static void list_end(struct ofconn *c, struct ofreply *reply)
{
	struct ext_list *list = container_of(reply, struct ext_list, reply);

	c->server->dump_octets -= list->entries.room;
	list_free(list);
}

struct ext_list *ext_list_begin(const struct ofmsg *m, uint32_t exp_type)
{
	struct ext_list *list = calloc(1, sizeof *list);

	if (!list)
		abort();
	list->reply = (struct ofreply){.type = OFPMP_EXPERIMENTER,
				       .xid = m->xid,
				       .next = list_next,
				       .end = list_end,
				       .exp_type = exp_type};
	return list;
}

struct buf *ext_entry_begin(struct ext_list *list)
{
	list->begin = list->entries.size;
	buf_u16(&list->entries, 0);
	return &list->entries;
}

void ext_entry_end(struct ext_list *list)
{
	size_t size = list->entries.size - list->begin;

	buf_put(&list->entries, ROUND_UP(size, 8u) - size);
	put_be16(list->entries.data + list->begin, (uint16_t)ROUND_UP(size, 8u));
}

size_t ext_list_room(const struct ofconn *c)
{
	return DUMPS_OCTETS - MIN(c->server->dump_octets, (size_t)DUMPS_OCTETS);
}

int ext_list_send(struct ofconn *c, struct ext_list *list, struct refusal *r)
{
	if (list->entries.room > ext_list_room(c)) {
		list_free(list);
		return refuse(r, MULTIPART_OVERFLOW, "type",
			      "dumps of all peers hold %zu octets already; ask again later",
			      c->server->dump_octets);
	}
	c->server->dump_octets += list->entries.room;
	ofconn_reply(c, &list->reply);
	return 0;
}
