/* SPDX-License-Identifier: Apache-2.0 */
/* output: to a port or a reserved one.  The op's data is max_len, which counts for CONTROLLER alone
 * (TS-023, 7.2.5); of others, what a controller gave is only read back to it. */
#include <stdio.h>
#include <strings.h>

#include "datapath/action.h"
#include "lib/openflow.h"
#include "lib/options.h"

/* 0 takes no room. */
static uint16_t max_len(const struct op *op)
{
	uint16_t n = 0;

	if (op->size >= sizeof *op + sizeof n)
		memcpy(&n, op->data, sizeof n);
	return n;
}

static void put_op(struct buf *ops, uint32_t port, uint16_t len)
{
	struct op *op = op_put(ops, ACTION_OUTPUT, port, len ? sizeof len : 0);

	if (len)
		memcpy(op->data, &len, sizeof len);
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	output_run(w, p, op->arg, max_len(op));
	return ACT_DONE;
}

static int check(uint32_t port, struct refusal *r)
{
	if (port && port < OFPP_MAX)
		return 0;
	if (port >= OFPP_IN_PORT && port != OFPP_ANY)
		return 0;
	return refuse(r, BAD_OUT_PORT, "output",
		      "output to 0x%x is impossible; a port's number or name, or a reserved port",
		      port);
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	const char *colon = strchr(arg, ':');
	size_t size = colon ? (size_t)(colon - arg) : strlen(arg);
	uint64_t len = OFPCML_NO_BUFFER;
	uint32_t port;
	char name[64];
	int error;

	snprintf(name, sizeof name, "%.*s", (int)MIN(size, sizeof name), arg);
	if (size >= sizeof name || !port_parse(name, &port))
		return refuse(
			r, BAD_OUT_PORT, "output",
			"'%s' is no port; its number or name, or a reserved port such as NORMAL",
			name);
	error = check(port, r);
	if (error)
		return error;
	if (colon && (parse_u64(colon + 1, &len) || len > UINT16_MAX))
		return refuse(r, ACTION_ARGUMENT, "output",
			      "'%.64s': the length behind a port is of 0 to 65535 octets", arg);
	put_op(ops, port, colon || port == OFPP_CONTROLLER ? (uint16_t)len : 0);
	return 0;
}

static void format(const struct op *op, struct buf *text)
{
	if (op->arg < OFPP_MAX)
		buf_printf(text, "output:");
	port_format(op->arg, text);
	if (op->arg == OFPP_CONTROLLER || max_len(op))
		buf_printf(text, ":%u", max_len(op));
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint32_t port = pull_u32(body);
	uint16_t len = pull_u16(body);
	int error;

	pull(body, 6);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "output", "an output action has 16 octets");
	error = check(port, r);
	if (error)
		return error;
	put_op(ops, port, len);
	return 0;
}

static void put(const struct op *op, struct buf *wire)
{
	buf_u32(wire, op->arg);
	buf_u16(wire, max_len(op));
	buf_put(wire, 6);
}

const struct action_class act_output = {
	.name = "output",
	.of_type = OFPAT_OUTPUT,
	.order = SET_OUTPUT,
	.outputs = true,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
