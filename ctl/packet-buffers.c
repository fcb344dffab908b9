/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/packet-buffers.h"

#include <stdlib.h>

#include "lib/openflow.h"

/* Numbers go round below OFP_NO_BUFFER; buffer N is used for each number that is N modulo all. */
static struct packet_buffer *buffer_of(struct packet_buffers *b, uint32_t id)
{
	return &b->buffer[id % PACKET_BUFFERS];
}

void packet_buffers_free(struct packet_buffers *b)
{
	for (unsigned i = 0; i < PACKET_BUFFERS; i++)
		free(b->buffer[i].packet);
	*b = (struct packet_buffers){0};
}

/* The next number whose buffer is empty or given up; 0: there is none. */
static uint32_t next_id(struct packet_buffers *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < PACKET_BUFFERS; i++) {
		uint32_t id = (b->n_held++ & INT32_MAX) + 1;
		const struct packet_buffer *buffer = buffer_of(b, id);

		if (!buffer->packet || now_ns - buffer->since_ns >= PACKET_BUFFER_NS)
			return id;
	}
	return 0;
}

uint32_t packet_hold(struct packet_buffers *b, uint64_t now_ns, uint32_t in_port, const void *frame,
		     size_t size)
{
	uint32_t id = size <= PACKET_BUFFER_OCTETS ? next_id(b, now_ns) : 0;
	struct packet_buffer *buffer = buffer_of(b, id);

	if (!id)
		return OFP_NO_BUFFER;
	free(buffer->packet);
	buffer->packet = malloc(sizeof *buffer->packet + size);
	if (!buffer->packet)
		abort();
	buffer->packet->in_port = in_port;
	buffer->packet->size = (uint16_t)size;
	memcpy(buffer->packet->octet, frame, size);
	buffer->since_ns = now_ns;
	buffer->id = id;
	return id;
}

struct held_packet *packet_take(struct packet_buffers *b, uint32_t id, struct refusal *r)
{
	struct packet_buffer *buffer = buffer_of(b, id);
	struct held_packet *p = buffer->packet;

	if (!buffer->id || buffer->id != id)
		refuse(r, BUFFER_UNKNOWN, "buffer_id",
		       "buffer 0x%x is not there: it never was, or its packet has waited too long",
		       id);
	else if (!p)
		refuse(r, BUFFER_EMPTY, "buffer_id", "the packet of buffer 0x%x was taken before",
		       id);
	else
		buffer->packet = NULL;
	return p && buffer->id == id ? p : NULL;
}

void packet_put_back(struct packet_buffers *b, uint32_t id, struct held_packet *p)
{
	struct packet_buffer *buffer = buffer_of(b, id);

	if (buffer->id == id && !buffer->packet)
		buffer->packet = p;
	else
		free(p);
}
