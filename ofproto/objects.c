/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/objects.h"

#include <ctype.h>
#include <stdio.h>

#include "lib/log.h"
#include "ofproto/kernel.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* ---- Words as text ------------------------------------------------------------------------- */

/* `key-in=…`: every option whose name has `key` in it may hold one. */
static void show_word(struct buf *shown, const char *word)
{
	const char *value = strchr(word, '=');
	size_t n = value ? (size_t)(value - word) : 0;

	if (shown->size)
		buf_printf(shown, " ");
	if (value && memmem(word, n, "key", 3))
		buf_printf(shown, "%.*s=…", (int)n, word);
	else
		buf_printf(shown, "%s", word);
}

static void set_text(struct object *b, struct words words, const char *more)
{
	struct buf text = {0}, shown = {0};

	for (unsigned i = 0; i < words.n; i++) {
		/* What is remembered was confirmed. */
		if (!strncmp(words.word[i], "confirm=", 8))
			continue;
		buf_printf(&text, "%s\n", words.word[i]);
		show_word(&shown, words.word[i]);
	}
	if (more) {
		buf_printf(&text, "%s\n", more);
		show_word(&shown, more);
	}
	b->text = mem_text(buf_text(&text));
	b->shown = mem_text(buf_text(&shown));
	explicit_bzero(text.data, text.size);
	buf_free(&text);
	buf_free(&shown);
}

/* ---- Objects ------------------------------------------------------------------------------- */

void objects_init(struct ofproto *o)
{
	o->objects.tail = &o->objects.first;
	o->objects.confirm_ns = TIMER_NEVER;
}

struct object *object_find(struct ofproto *o, const char *name)
{
	for (struct object *b = o->objects.first; b; b = b->next)
		if (!b->leaving && !strcmp(b->name, name))
			return b;
	return NULL;
}

/* What is on its way out still holds its device, its keys, its number: let it go first. */
static int wait_for_leaving(struct ofproto *o, struct refusal *r)
{
	for (struct object *b = o->objects.first; b; b = b->next)
		if (b->leaving)
			return ofproto_sync_soon(o, r);
	return 0;
}

static int check_name(struct ofproto *o, const char *name, struct refusal *r)
{
	static const char *const reserved[] = {"LOCAL", "NORMAL", "CONTROLLER", "IN_PORT",
					       "ALL",   "FLOOD",  "ANY",        "TABLE"};
	bool letter = false;

	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("-_.:@", *c))
			return refuse(r, BAD_VALUE, "name",
				      "%s: names are letters, digits, and any of -_.:@", name);
		letter |= !isdigit((unsigned char)*c);
	}
	if (!letter || strlen(name) >= PORT_NAME)
		return refuse(r, BAD_VALUE, "name",
			      "'%s': names have 1 to %d characters and are not numbers", name,
			      PORT_NAME - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		if (!strcasecmp(name, reserved[i]))
			return refuse(r, BAD_VALUE, "name", "%s is a reserved port's name", name);
	if (object_find(o, name))
		return refuse(r, EXISTS, "name",
			      "there is a port or connection %s already; another name would be "
			      "accepted, or this one once that is deleted",
			      name);
	return 0;
}

/* The store keeps one word a line. */
static int check_lines(struct words words, struct refusal *r)
{
	for (unsigned i = 0; i < words.n; i++)
		if (strchr(words.word[i], '\n'))
			return refuse(r, SYNTAX, "", "a line break within a word");
	return 0;
}

struct object *object_new(struct ofproto *o, struct words words, struct options *opt,
			  struct refusal *r)
{
	struct object *b;

	if (!words.n || strchr(words.word[0], '=')) {
		refuse(r, SYNTAX, "name", "NAME key=value … is expected");
		return NULL;
	}
	if (check_lines(words, r) || wait_for_leaving(o, r) || check_name(o, words.word[0], r) ||
	    options_parse(opt, words.n - 1, words.word + 1, r))
		return NULL;
	opt->offline = o->offline;
	opt->restored = o->restoring;
	b = mem_new(sizeof *b);
	b->name = mem_text(words.word[0]);
	b->confirm_ns = TIMER_NEVER;
	set_text(b, words, NULL);
	return b;
}

void object_free(struct object *b)
{
	free(b->name);
	mem_wipe_text(b->text);
	free(b->shown);
	free(b);
}

const void *object_type(struct options *opt, const void *(*find)(const char *), const char *verb,
			struct refusal *r)
{
	const char *type = option(opt, "type");
	const void *class = type ? find(type) : NULL;

	if (!type)
		refuse(r, BAD_VALUE, "type", "type= is missing; `sluice-ctl help %s' lists them",
		       verb);
	else if (!class)
		refuse(r, BAD_VALUE, "type",
		       "there is no type=%s; `sluice-ctl help %s' lists those that there are", type,
		       verb);
	return class;
}

uint32_t ofport_take(struct ofproto *o, uint32_t asked)
{
	bool used[PORT_MAX] = {true};

	for (struct object *b = o->objects.first; b; b = b->next)
		if (b->port->ofport < PORT_MAX)
			used[b->port->ofport] = true;
	for (const struct lost *l = o->objects.lost; l; l = l->next)
		used[l->ofport] |= !l->leaving;
	if (asked)
		return used[asked] ? 0 : asked;
	for (uint32_t n = 1; n < PORT_MAX; n++)
		if (!used[n])
			return n;
	return 0;
}

void object_append(struct object *b, const char *word)
{
	const char *words[OPTIONS_MAX + 2];
	char *old = b->text;
	size_t size = strlen(old);

	free(b->shown);
	set_text(b, object_words(old, words, ARRAY_SIZE(words)), word);
	explicit_bzero(old, size);
	free(old);
}

/* ofport=N, or the lowest free number, which then is part of the text: it lasts. */
int object_number(struct ofproto *o, struct object *b, struct options *opt, struct refusal *r)
{
	uint64_t asked = 0;
	char word[32];
	uint32_t number;

	if (option_u64(opt, "ofport", (struct range){1, PORT_MAX - 1}, &asked, r))
		return -EINVAL;
	number = ofport_take(o, asked);
	if (!number && asked)
		return refuse(r, EXISTS, "ofport", "port number %u is taken", (unsigned)asked);
	if (!number)
		return refuse(r, LIMIT, "ofport", "there are %d ports, as many as there can be",
			      PORT_MAX - 1);
	b->port->ofport = number;
	if (asked)
		return 0;
	snprintf(word, sizeof word, "ofport=%u", number);
	object_append(b, word);
	return 0;
}

/* ---- Steps --------------------------------------------------------------------------------- */

struct object_step {
	struct step step;
	struct object *object;
};

static void detach(struct ofproto *o, struct object *b)
{
	struct object **link = &o->objects.first;

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	if (!b->next)
		o->objects.tail = link;
}

static void unmake(struct ofproto *o, struct object *b)
{
	detach(o, b);
	if (b->conn)
		conn_unmake(o, b);
	else
		port_unmake(o, b);
	object_free(b);
}

static void add_done(struct ofproto *o, struct step *s)
{
	struct object_step *os = container_of(s, struct object_step, step);

	tell_port_status(o, os->object->port, OFPPR_ADD);
	free(os);
}

static void add_undo(struct ofproto *o, struct step *s)
{
	struct object_step *os = container_of(s, struct object_step, step);

	unmake(o, os->object);
	free(os);
}

static void del_done(struct ofproto *o, struct step *s)
{
	struct object_step *os = container_of(s, struct object_step, step);

	tell_port_status(o, os->object->port, OFPPR_DELETE);
	unmake(o, os->object);
	free(os);
}

static void del_undo(struct ofproto *o, struct step *s)
{
	struct object_step *os = container_of(s, struct object_step, step);

	os->object->leaving = false;
	o->objects.confirm_ns = MIN(o->objects.confirm_ns, os->object->confirm_ns);
	free(os);
}

static const struct step_class add_class = {NULL, add_done, add_undo};
static const struct step_class del_class = {NULL, del_done, del_undo};

static void step_new(struct ofproto *o, const struct step_class *class, struct object *b)
{
	struct object_step *os = mem_new(sizeof *os);

	os->step.class = class;
	os->object = b;
	change_step(o, &os->step);
}

static const char *kind_of(const struct object *b)
{
	return b->conn ? "conn" : "port";
}

static void stage_in(struct ofproto *o, struct object *b, struct waiter *w)
{
	*o->objects.tail = b;
	o->objects.tail = &b->next;
	step_new(o, &add_class, b);
	if (!lost_forget(o, b->name, false))
		lost_forget(o, b->name, true);
	/* What another of its name was forbidden is not forbidden to it. */
	port_config_keep(o, b->name, 0);
	/* What waits for its confirmation does not outlive us. */
	if (b->confirm_ns == TIMER_NEVER)
		change_store(o, store_op_object(kind_of(b), b->name, b->text));
	o->objects.confirm_ns = MIN(o->objects.confirm_ns, b->confirm_ns);
	change_staged(o, w);
}

static void stage_out(struct ofproto *o, struct object *b, struct waiter *w)
{
	b->leaving = true;
	step_new(o, &del_class, b);
	if (b->confirm_ns == TIMER_NEVER) /* otherwise it never was in the store */
		change_store(o, store_op_object(kind_of(b), b->name, NULL));
	if (b->port->config_staged)
		port_config_keep(o, b->name, 0);
	change_staged(o, w);
}

/* ---- Verbs --------------------------------------------------------------------------------- */

int ofproto_add_port(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r)
{
	struct object *b = port_make(o, words, r);

	if (!b)
		return -EINVAL;
	stage_in(o, b, w);
	return 0;
}

int ofproto_add_conn(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r)
{
	struct object *b = conn_make(o, words, r);

	if (!b)
		return -EINVAL;
	if (meters_admit_conn(o, b->conn, r)) {
		conn_unmake(o, b);
		object_free(b);
		return -EINVAL;
	}
	stage_in(o, b, w);
	return 0;
}

int ofproto_del_port(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r)
{
	struct object *b = object_find(o, name);

	if (!b && lost_forget(o, name, false)) {
		change_staged(o, w);
		return 0;
	}
	if (!b || b->conn)
		return refuse(r, NOT_FOUND, "name", "there is no port %s", name);
	for (struct object *c = o->objects.first; c; c = c->next)
		if (c->conn && !c->leaving && c->conn->bound_port == b->port->id)
			return refuse(r, IN_USE, "name",
				      "connection %s arrives on %s; delete it first", c->name,
				      name);
	stage_out(o, b, w);
	return 0;
}

int ofproto_del_conn(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r)
{
	struct object *b = object_find(o, name);

	if (!b && lost_forget(o, name, true)) {
		change_staged(o, w);
		return 0;
	}
	if (!b || !b->conn)
		return refuse(r, NOT_FOUND, "name", "there is no connection %s", name);
	stage_out(o, b, w);
	return 0;
}

struct port *ofproto_port(struct ofproto *o, const char *name)
{
	struct object *b = object_find(o, name);

	if (b)
		return b->port;
	return !strcmp(name, "LOCAL") ? o->dp.local : NULL;
}

struct conn *ofproto_conn(struct ofproto *o, const char *name)
{
	struct object *b = object_find(o, name);

	return b ? b->conn : NULL;
}

const char *ofproto_port_spec(struct ofproto *o, const struct port *port)
{
	for (struct object *b = o->objects.first; b; b = b->next)
		if (b->port == port)
			return b->shown;
	return "";
}

/* ---- Confirmation -------------------------------------------------------------------------- */

struct confirm_step {
	struct step step;
	struct object *object;
	uint64_t before_ns;
};

static void confirm_done(struct ofproto *o, struct step *s)
{
	(void)o;
	free(container_of(s, struct confirm_step, step));
}

static void confirm_undo(struct ofproto *o, struct step *s)
{
	struct confirm_step *cs = container_of(s, struct confirm_step, step);

	cs->object->confirm_ns = cs->before_ns;
	o->objects.confirm_ns = MIN(o->objects.confirm_ns, cs->before_ns);
	free(cs);
}

static const struct step_class confirm_class = {NULL, confirm_done, confirm_undo};

static void confirm(struct ofproto *o, struct object *b)
{
	struct confirm_step *cs = mem_new(sizeof *cs);

	*cs = (struct confirm_step){{.class = &confirm_class}, b, b->confirm_ns};
	b->confirm_ns = TIMER_NEVER;
	change_step(o, &cs->step);
	change_store(o, store_op_object(kind_of(b), b->name, b->text));
}

int ofproto_confirm(struct ofproto *o, struct refusal *r)
{
	unsigned n = 0;

	for (struct object *b = o->objects.first; b; b = b->next) {
		if (b->leaving || b->confirm_ns == TIMER_NEVER)
			continue;
		confirm(o, b);
		n++;
	}
	o->objects.confirm_ns = TIMER_NEVER;
	if (!n)
		return refuse(r, NOT_FOUND, "", "nothing waits to be confirmed");
	change_staged(o, NULL);
	return 0;
}

void objects_run(struct ofproto *o)
{
	uint64_t now = ofproto_now(o), earliest = TIMER_NEVER;

	if (now < o->objects.confirm_ns)
		return;
	for (struct object *b = o->objects.first, *next; b; b = next) {
		next = b->next;
		if (b->leaving)
			continue;
		if (b->confirm_ns > now) {
			earliest = MIN(earliest, b->confirm_ns);
			continue;
		}
		LOG(WARN, "%s: not confirmed in time, taken back", b->name);
		stage_out(o, b, NULL);
	}
	o->objects.confirm_ns = earliest;
}

/* ---- The end ------------------------------------------------------------------------- */

void objects_destroy(struct ofproto *o)
{
	/* Connections first: they may use ports. */
	for (int conns = 1; conns >= 0; conns--)
		for (struct object *b = o->objects.first, *next; b; b = next) {
			next = b->next;
			if (!!b->conn == conns)
				unmake(o, b);
		}
	host_port_unmake(o);
	lost_free(o);
}
