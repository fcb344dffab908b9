/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and connections as the operator named them.
 *
 * An *object* remembers the words that a port or connection was made from, for the store and for
 * show, and the open port or connection itself.  It exists from the moment its class has opened
 * it; one staged to go cannot be found any more, but works until the commit. */
#ifndef SLUICE_OFPROTO_OBJECTS_H
#define SLUICE_OFPROTO_OBJECTS_H

#include "ofproto/ofproto.h"

struct object {
	struct object *next;
	char *name;
	char *text;  /* one word a line, with keys: for the store */
	char *shown; /* in one line, without keys */
	struct port *port;
	struct conn *conn; /* NULL: a port; otherwise port is &conn->port */
	bool leaving;
	uint64_t confirm_ns; /* taken back then, unless confirmed; TIMER_NEVER */
};

/* In the store, but it could not be made: its interface is not there (yet). */
struct lost {
	struct lost *next;
	char *name, *text;
	uint32_t ofport; /* kept for it */
	uint32_t config; /* OFPPC_*, as well */
	bool conn, leaving;
};

struct objects {
	struct object *first;
	struct object **tail;
	uint64_t confirm_ns; /* the earliest */
	struct lost *lost;   /* ports first */
	bool retry;          /* there is a new interface: try them again */
};

void objects_init(struct ofproto *o);
void objects_destroy(struct ofproto *o); /* closes everything; workers have stopped polling */
void objects_run(struct ofproto *o);     /* what was not confirmed goes */

/* restore.c */
int objects_restore(struct ofproto *o, struct refusal *r);
void objects_retry(struct ofproto *o);
/* By that name; NULL: none, or it is on its way out. */
struct lost *lost_find(struct ofproto *o, const char *name);
/* Also in the store, both when the open group is committed. */
bool lost_forget(struct ofproto *o, const char *name, bool conn);
void lost_free(struct ofproto *o);

/* The words of an object's text; they point into it, and it is cut up. */
struct words object_words(char *text, const char **word, unsigned room);

struct object *object_find(struct ofproto *o, const char *name);
/* The lowest OpenFlow number that is free; `asked` if it is; 0: neither. */
uint32_t ofport_take(struct ofproto *o, uint32_t asked);

/* ports.c, conns.c: made and in the datapath, or refused. */
struct object *port_make(struct ofproto *o, struct words words, struct refusal *r);
void port_unmake(struct ofproto *o, struct object *b);
struct object *conn_make(struct ofproto *o, struct words words, struct refusal *r);
void conn_unmake(struct ofproto *o, struct object *b);

/* The words NAME key=value … of a verb: checks the name, reads the options, keeps the text. */
struct object *object_new(struct ofproto *o, struct words words, struct options *opt,
			  struct refusal *r);
/* One more word for the text: a choice made for the operator, which is to last. */
void object_append(struct object *b, const char *word);
void object_free(struct object *b);
/* type= by which find() knows it; NULL and a refusal: none. */
const void *object_type(struct options *opt, const void *(*find)(const char *), const char *verb,
			struct refusal *r);
int object_number(struct ofproto *o, struct object *b, struct options *opt, struct refusal *r);

/* ports.c: the host's way in, once there is a port that could need it. */
void host_port_make(struct ofproto *o);
void host_port_unmake(struct ofproto *o);
/* Opens a port of `class` and puts it into the datapath, or refuses and leaves nothing. */
int port_begin(struct ofproto *o, struct port *port, struct options *opt, struct refusal *r);
void port_end(struct ofproto *o, struct port *port);

#endif
