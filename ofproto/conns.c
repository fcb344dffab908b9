/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: opened by their encapsulation, with the tun that gives the kernel a way in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "ofproto/kernel.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* A connection is no device: what it sends is aggregated, what it receives is taken apart. */
static const struct port_class conn_port = {.name = "conn"};

static const void *class_find(const char *type)
{
	return encap_class_by_name(type);
}

/* ---- Keys in files ------------------------------------------------------------------------ */

enum { KEY_FILE_MAX = 4096 };

/* The word `key…=@FILE` with the file's content instead: the store holds keys, so a restart does
 * not depend on the file.  NULL: it is no such word, or it cannot be read (the class says so). */
static char *with_content(const char *word)
{
	const char *value = strchr(word, '=');
	size_t name = value ? (size_t)(value - word) : 0, n = 0;
	char *text;
	ssize_t got;
	int fd;

	if (!value || value[1] != '@' || !memmem(word, name, "key", 3))
		return NULL;
	fd = open(value + 2, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = mem_new(name + 1 + KEY_FILE_MAX + 1);
	memcpy(text, word, name + 1);
	n = name + 1;
	got = read(fd, text + n, KEY_FILE_MAX);
	close(fd);
	for (ssize_t i = 0; i < got; i++)
		if (!strchr(" \t\r\n", text[name + 1 + i]))
			text[n++] = text[name + 1 + i];
	memset(text + n, 0, name + 1 + KEY_FILE_MAX + 1 - n);
	return text;
}

/* ---- kernel=NAME ---------------------------------------------------------------------------- */

static int kernel_begin(struct ofproto *o, struct conn *c, const char *dev, struct refusal *r)
{
	struct port *tun;
	char words[2][64];
	const char *word[2] = {words[0], words[1]};
	struct options opt = {0};
	int error;

	snprintf(words[0], sizeof words[0], "dev=%s", dev);
	snprintf(words[1], sizeof words[1], "mtu=%u", c->port.mtu);
	error = options_parse(&opt, c->port.mtu ? 2 : 1, word, r);
	if (error)
		return error;
	opt.offline = o->offline;
	tun = mem_new(sizeof *tun);
	snprintf(tun->name, sizeof tun->name, "%s", c->port.name);
	tun->class = port_class_by_name("tun");
	tun->ofport = OFPP_LOCAL; /* where what it receives comes from */
	tun->flags = PORT_INTERNAL;
	tun->forward_to = &c->port;
	error = port_begin(o, tun, &opt, r);
	options_free(&opt);
	if (error) {
		free(tun->queue);
		free(tun);
		return error;
	}
	datapath_bind_ifindex(&o->dp, tun->ifindex, &c->port);
	c->kernel = tun;
	return 0;
}

/* ---- Connections --------------------------------------------------------------------------- */

struct conn_words {
	const char *port, *kernel;
};

static int read_words(struct ofproto *o, struct object *b, struct options *opt,
		      struct conn_words *cw, struct refusal *r)
{
	struct object *on;

	cw->port = option(opt, "port");
	cw->kernel = option(opt, "kernel");
	b->conn->bound_port = PORT_NONE;
	if (cw->port) {
		on = object_find(o, cw->port);
		if (!on || on->conn)
			return refuse(r, NOT_FOUND, "port", "there is no port %s", cw->port);
		b->conn->bound_port = on->port->id;
	}
	b->conn->class = object_type(opt, class_find, "add-conn", r);
	return b->conn->class ? object_number(o, b, opt, r) : -EINVAL;
}

static void conn_free(struct conn *c)
{
	free(c->port.queue);
	rcu_free(c);
}

static void conn_end(struct ofproto *o, struct conn *c)
{
	struct port *tun = c->kernel;

	if (tun) {
		c->kernel = NULL;
		port_end(o, tun);
	}
	if (c->has_in)
		kernel_conn_gone(o, &c->in_id);
	datapath_del_conn(&o->dp, c);
	c->class->close(c);
	conn_free(c);
}

/* The class has opened it; on refusal nothing is left. */
static int conn_begin(struct ofproto *o, struct conn *c, const struct conn_words *cw,
		      struct refusal *r)
{
	int error = datapath_add_conn(&o->dp, c);

	if (error) {
		if (error == -EEXIST)
			refuse(r, EXISTS, "spi-in",
			       "another connection has this local address and identifier");
		else
			refuse(r, LIMIT, "name", "there are %d ports, as many as there can be",
			       PORT_MAX);
		c->class->close(c);
		conn_free(c);
		return -EINVAL;
	}
	if (c->has_in)
		kernel_conn_added(o, &c->in_id);
	if (cw->kernel && kernel_begin(o, c, cw->kernel, r)) {
		conn_end(o, c);
		return -EINVAL;
	}
	return 0;
}

static struct object *make(struct ofproto *o, struct words words, struct options *opt,
			   struct refusal *r)
{
	struct object *b = object_new(o, words, opt, r);
	struct conn_words cw;
	struct conn *c;

	if (!b)
		return NULL;
	c = b->conn = mem_new(sizeof *c);
	b->port = &c->port;
	snprintf(c->port.name, sizeof c->port.name, "%s", b->name);
	c->port.class = &conn_port;
	c->port.dp = &o->dp;
	c->port.up = true;
	c->port.flags = PORT_CONN;
	if (read_words(o, b, opt, &cw, r) || c->class->open(c, opt, r)) {
		conn_free(c);
	} else if (options_finish(opt, r)) {
		c->class->close(c);
		conn_free(c);
	} else if (!conn_begin(o, c, &cw, r)) {
		return b;
	}
	object_free(b);
	return NULL;
}

struct object *conn_make(struct ofproto *o, struct words words, struct refusal *r)
{
	const char *word[OPTIONS_MAX + 2];
	char *content[OPTIONS_MAX + 2] = {0};
	struct options opt = {0};
	struct object *b = NULL;

	if (words.n > ARRAY_SIZE(word)) {
		refuse(r, SYNTAX, "", "more than %d options", OPTIONS_MAX);
		return NULL;
	}
	for (unsigned i = 0; i < words.n; i++) {
		content[i] = with_content(words.word[i]);
		word[i] = content[i] ? content[i] : words.word[i];
	}
	b = make(o, (struct words){words.n, word}, &opt, r);
	options_free(&opt);
	for (unsigned i = 0; i < words.n; i++)
		mem_wipe_text(content[i]);
	return b;
}

void conn_unmake(struct ofproto *o, struct object *b)
{
	conn_end(o, b->conn);
}
